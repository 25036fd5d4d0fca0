import { expect, test } from "vitest";
import type { TagItem } from "../lib/queries";
import { looksAtQuality, matches, parse } from "./filter";

const tag: TagItem = {
  id: 0,
  device: "pump",
  name: "speed",
  link: "plc",
  readable: true,
  unit: "rpm",
  interval_seconds: 0.5,
  labels: { cell: "4" },
  settings: { address: "hr:100", type: "uint16", description: "Speed of the main drive" },
};

test.each([
  ["", true],
  ["spe", true],
  ["pump/speed", true],
  ["HR:100", true],
  ["hr:200", false],
  ["device:pump", true],
  ["device:filler", false],
  ["-device:filler", true],
  ["-pump", false],
  ["type:uint cell:4", true],
  ["type:uint cell:5", false],
  ['"main drive"', true],
  ['description:"drive main"', false],
  ["quality:bad", true],
  ["quality:good", false],
  ["name:speed link:plc unit:rpm", false], // the unit is no setting here: nothing has it as text "unit:rpm"
])("%s", (line, want) => expect(matches(tag, parse(line), "bad")).toBe(want));

test("an unknown quality matches no quality", () => {
  expect(matches(tag, parse("quality:good"), undefined)).toBe(false);
});

test("only a filter on quality follows it", () => {
  expect(looksAtQuality(parse("quality:bad pump"))).toBe(true);
  expect(looksAtQuality(parse("pump bad"))).toBe(false);
});
