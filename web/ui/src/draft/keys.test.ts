import { expect, test } from "vitest";
import { fieldsFor, labelOf } from "./keys";

const names = (keys: string[], driver: string) => fieldsFor(keys, driver).map((g) => `${g.name}: ${g.fields.map((f) => f.key).join(" ")}`);

test("the form has what the gateway offers, in its own order, and nothing else", () => {
  expect(names(["unit", "type", "address", "interval"], "modbus-tcp")).toEqual(["On the device: address type", "Meaning: unit", "Sampling and publishing: interval"]);
  expect(names(["interval", "expr", "require", "type"], "calc")).toEqual(["Computed from: expr require", "Result: type", "Sampling and publishing: interval"]);
  expect(names(["period", "high", "address"], "sim")).toEqual(["On the device: address", "Of the driver sim: high period"]);
});

test("help and choices fit the driver", () => {
  const field = (driver: string, key: string) => fieldsFor([key], driver)[0]?.fields[0];
  expect(field("modbus-rtu", "address")?.help).toContain("coil:7");
  expect(field("opcua", "address")?.help).toContain("ns=2");
  expect(field("some-new", "address")?.help).toBeUndefined();
  expect(field("modbus-tcp", "type")?.choices).toContain("bcd16");
  expect(field("opcua", "type")?.choices).not.toContain("bcd16");
  expect(field("calc", "type")?.choices).toEqual(["bool", "int64", "float64", "string"]);
});

test("a key in words", () => {
  expect(labelOf("byte_order")).toBe("Byte order");
  expect(labelOf("dead_every")).toBe("Dead every");
});
