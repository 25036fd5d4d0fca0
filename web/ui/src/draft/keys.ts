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

export const groups: { name: string; fields: Field[] }[] = [
  {
    name: "On the device",
    fields: [
      { key: "address", label: "Address", help: "As the driver reads it: hr:100, ir:0, coil:7, hr:10.3, 40101, a node id", long: true },
      {
        key: "type",
        label: "Type",
        choices: ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "string", "bcd16", "bcd32", "raw"],
      },
      { key: "byte_order", label: "Byte order", help: "ABCD: high byte first", choices: ["ABCD", "BADC", "CDAB", "DCBA"] },
      { key: "length", label: "Length", help: "Of a string" },
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
      { key: "interval", label: "Sampling interval", help: "How often the device is asked: 500ms, 10s" },
      { key: "deadband", label: "Deadband", help: "Smallest change worth publishing, in the unit" },
      { key: "min_interval", label: "Publish at most every" },
      { key: "max_interval", label: "Publish at least every" },
      { key: "stale_after", label: "Stale after" },
      { key: "class", label: "Class", help: "What the buffer keeps longest when full", choices: ["alarm", "normal", "bulk"] },
      { key: "access", label: "Access", choices: ["read", "read-write", "write"] },
      { key: "retain", label: "Retain", help: "Whether the broker keeps the value", choices: ["true", "false"] },
    ],
  },
];

const known = new Map(groups.flatMap((g) => g.fields.map((f) => [f.key, f] as const)));

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
export function fieldsFor(keys: string[]): { name: string; fields: Field[] }[] {
  const offered = new Set(keys);
  const named = groups.map((g) => ({ name: g.name, fields: g.fields.filter((f) => offered.has(f.key)) }));
  const others = keys.filter((k) => !known.has(k)).sort();
  named.push({ name: "Of this driver", fields: others.map((key) => ({ key, label: labelOf(key) })) });
  return named.filter((g) => g.fields.length > 0);
}
