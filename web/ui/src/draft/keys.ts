// The keys of a tag in the tag map, in the words and the order of the form.

export type Field = {
  key: string;
  label: string;
  /** One short line below the field. */
  help?: string;
  /** Suggestions; the gateway has the last word. */
  choices?: string[];
  /** Text that is as wide as it needs to be. */
  long?: boolean;
};

type Group = { name: string; fields: Field[] };

/** The protocol of a driver, as far as the words of the form depend on it. */
function family(driver: string): string {
  return driver.startsWith("modbus") ? "modbus" : driver;
}

const addresses: Record<string, string> = {
  modbus: "hr:100, ir:0, coil:7 or di:3 (zero based), a bit as hr:10.3, or a number such as 40101 (one based)",
  opcua: "A node: alias:Name as the link's namespaces say, or ns=2;s=Name",
  sim: "A signal: sine, ramp, square, noise, counter, constant, clock, text or memory",
};

const numbers = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"];
const types: Record<string, string[]> = {
  modbus: ["bool", ...numbers, "string", "bcd16", "bcd32", "raw"],
  calc: ["bool", "int64", "float64", "string"],
};

function groups(driver: string): Group[] {
  const f = family(driver);
  const address = addresses[f];
  return [
    {
      name: "Computed from",
      fields: [
        { key: "expr", label: "Expression", help: 'Such as sum(tags("meter*/power")) or tag("pump/speed") * 2', long: true },
        { key: "require", label: "Good sources needed", help: "What a good value takes", choices: ["all", "any"] },
      ],
    },
    {
      name: f === "calc" ? "Result" : "On the device",
      fields: [
        { key: "address", label: "Address", ...(address === undefined ? {} : { help: address }), long: true },
        { key: "type", label: "Type", choices: types[f] ?? ["bool", ...numbers, "string"] },
        { key: "byte_order", label: "Byte order", help: "ABCD: high byte first", choices: ["ABCD", "BADC", "CDAB", "DCBA"] },
        { key: "length", label: "Length", help: "Of a string or raw value, in registers" },
      ],
    },
    {
      name: "Meaning",
      fields: [
        { key: "scale", label: "Scale", help: "value = raw × scale + offset" },
        { key: "offset", label: "Offset" },
        { key: "unit", label: "Unit" },
        { key: "description", label: "Description", long: true },
        { key: "min", label: "Least", help: "Below it a reading is uncertain, a write refused" },
        { key: "max", label: "Most", help: "Above it a reading is uncertain, a write refused" },
      ],
    },
    {
      name: "Sampling and publishing",
      fields: [
        { key: "interval", label: "Sampling interval", help: f === "calc" ? "How often it is computed at most: 500ms, 10s" : "How often the device is asked: 500ms, 10s" },
        { key: "rate", label: "Rate", help: "Or the name of an interval among the rates" },
        { key: "mode", label: "Reading", help: "subscribe: the server sends what changed", choices: ["poll", "subscribe"] },
        { key: "deadband", label: "Deadband", help: "Smallest change worth publishing, in the unit" },
        { key: "min_interval", label: "Publish at most every" },
        { key: "max_interval", label: "Publish at least every" },
        { key: "stale_after", label: "Stale after", help: "Without a fresh read for so long it is uncertain" },
        { key: "class", label: "Class", help: "What the buffer keeps longest when full", choices: ["alarm", "normal", "bulk"] },
        { key: "access", label: "Access", help: "Whether it may be written at all", choices: ["read", "read-write", "write"] },
        { key: "retain", label: "Retain", help: "Whether the broker keeps the value", choices: ["true", "false"] },
      ],
    },
  ];
}

const known = new Map(groups("").flatMap((g) => g.fields.map((f) => [f.key, f] as const)));

/** A key in words: byte_order is "Byte order". */
export function labelOf(key: string): string {
  const f = known.get(key);
  if (f !== undefined) {
    return f.label;
  }
  const words = key.replaceAll("_", " ");
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** The groups with only the keys that a tag offers, and those of its driver that are not named above. */
export function fieldsFor(keys: string[], driver: string): Group[] {
  const offered = new Set(keys);
  const named = groups(driver).map((g) => ({ name: g.name, fields: g.fields.filter((f) => offered.has(f.key)) }));
  const others = keys.filter((k) => !known.has(k)).sort();
  named.push({ name: `Of the driver ${driver}`, fields: others.map((key) => ({ key, label: labelOf(key) })) });
  return named.filter((g) => g.fields.length > 0);
}
