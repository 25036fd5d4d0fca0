import { expect, test } from "vitest";
import type { TagItem } from "../lib/queries";
import { columnsFor, gridOf } from "./columns";

function tag(device: string, name: string, settings: Record<string, string>): TagItem {
  return { id: 0, device, name, link: "l", readable: true, unit: settings["unit"] ?? "", interval_seconds: 1, labels: {}, settings: { type: "float32", interval: "1s", ...settings } };
}

const ids = (tags: TagItem[], withDevice = true) => columnsFor(tags, withDevice).map((c) => c.id);

test("a column that no tag needs is left out", () => {
  const bare = [tag("pump", "speed", { address: "hr:1" })];
  expect(ids(bare)).toEqual(["device", "name", "value", "quality", "age", "address", "type", "interval"]);
  expect(ids(bare, false)).not.toContain("device");
  expect(ids([...bare, tag("pump", "total", { offset: "-40", unit: "l" })])).toEqual(["device", "name", "value", "unit", "quality", "age", "address", "type", "offset", "interval"]);
  expect(ids([tag("pump", "speed", { class: "normal" })])).not.toContain("class");
  expect(ids([])).toContain("value");
});

test("a column is as wide as its longest text, up to a bound", () => {
  const width = (id: string, ...tags: TagItem[]) => columnsFor(tags, true).find((c) => c.id === id)?.width;
  expect(width("unit", tag("a", "b", { unit: "bottles/min" }), tag("a", "c", { unit: "V" }))).toBe(11);
  expect(width("name", tag("a", "apparent_power_l1", {}))).toBe(17);
  expect(width("name", tag("a", "x".repeat(100), {}))).toBe(40);
  expect(width("value", tag("a", "b", { type: "int16" }))).toBe(8);
  expect(width("value", tag("a", "b", { type: "uint64" }))).toBe(20);
  expect(width("value", tag("a", "b", { type: "string" }))).toBe(24);
  expect(width("address", tag("a", "b", { expr: 'sum(tags("x"))' }))).toBe(14);
});

test("the grid is never narrower than its columns", () => {
  const g = gridOf(columnsFor([tag("pump", "speed", {})], false));
  expect(g.gridTemplateColumns).toBe("minmax(calc(5ch + 17px), 5fr) calc(13ch + 17px) calc(15ch + 17px) calc(6ch + 17px) calc(7ch + 17px) calc(8ch + 17px)");
  expect(g.minWidth).toBe("calc(5ch + 17px + 13ch + 17px + 15ch + 17px + 6ch + 17px + 7ch + 17px + 8ch + 17px)");
});
