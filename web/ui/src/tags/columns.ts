import { spanText } from "../lib/format";
import type { TagItem } from "../lib/queries";

// The columns of the sheet: which of them a list of tags needs, and how wide
// they must be for nothing to be cut off. Widths follow from the whole list,
// not from the rows that are shown, so that nothing jumps while one scrolls
// or filters.

export type Column = {
  id: string;
  title: string;
  num?: boolean;
  /** Shows the latest value. */
  live?: boolean;
  /** The key of the tag map that it shows. */
  setting?: string;
  /** Left out when no tag has it. */
  optional?: boolean;
  /** Takes a share of the width that is left. */
  grows?: boolean;
  /** Longest text in characters that makes the column wider; more is cut, and one hover away. */
  most: number;
};

export const all: Column[] = [
  { id: "device", title: "Device", most: 24 },
  { id: "name", title: "Tag", most: 40, grows: true },
  { id: "value", title: "Value", num: true, live: true, most: 24 },
  { id: "unit", title: "Unit", setting: "unit", optional: true, most: 14 },
  { id: "quality", title: "Quality", live: true, most: 15 },
  { id: "age", title: "Age", num: true, live: true, most: 6 },
  { id: "address", title: "Address", setting: "address", optional: true, most: 34, grows: true },
  { id: "type", title: "Type", setting: "type", most: 8 },
  { id: "byte_order", title: "Byte order", setting: "byte_order", optional: true, most: 8 },
  { id: "scale", title: "Scale", num: true, setting: "scale", optional: true, most: 10 },
  { id: "offset", title: "Offset", num: true, setting: "offset", optional: true, most: 10 },
  { id: "deadband", title: "Deadband", num: true, setting: "deadband", optional: true, most: 10 },
  { id: "interval", title: "Interval", num: true, setting: "interval", most: 10 },
  { id: "class", title: "Class", setting: "class", optional: true, most: 6 },
  { id: "description", title: "Description", setting: "description", optional: true, most: 26, grows: true },
];

/** What stands in a cell that shows no live value. */
export function settled(column: string, tag: TagItem): string {
  switch (column) {
    case "device":
      return tag.device;
    case "name":
      return tag.name;
    case "interval":
      return tag.interval_seconds > 0 ? spanText(tag.interval_seconds) : "";
    case "class":
      return tag.settings["class"] === "normal" ? "" : (tag.settings["class"] ?? "");
    case "address":
      // A computed tag comes from an expression.
      return tag.settings["address"] ?? tag.settings["expr"] ?? "";
    default:
      return tag.settings[column] ?? "";
  }
}

/** How many characters the longest value of a type has. */
const digits: Record<string, number> = {
  bool: 5, int8: 6, uint8: 6, int16: 8, uint16: 8, int32: 11, uint32: 11, int64: 20, uint64: 20,
  float32: 13, float64: 16, bcd16: 8, bcd32: 11,
};

function lengthOf(c: Column, tag: TagItem): number {
  switch (c.id) {
    case "value":
      return digits[tag.settings["type"] ?? ""] ?? c.most;
    case "quality":
    case "age":
      return c.most;
    default:
      return Math.min(settled(c.id, tag).length, c.most);
  }
}

export type Shown = Column & {
  /** In characters. */
  width: number;
};

/** The columns that tags need, with their widths. */
export function columnsFor(tags: TagItem[], withDevice: boolean): Shown[] {
  const shown: Shown[] = [];
  for (const c of all) {
    if (c.id === "device" && !withDevice) {
      continue;
    }
    let longest = 0;
    for (const t of tags) {
      longest = Math.max(longest, lengthOf(c, t));
      if (longest >= c.most) {
        break;
      }
    }
    if (longest > 0 || c.optional !== true) {
      shown.push({ ...c, width: Math.max(longest, c.title.length) });
    }
  }
  return shown;
}

/** The style of each row, and of what holds them. */
export function gridOf(columns: Shown[]): { gridTemplateColumns: string; minWidth: string } {
  const least = (c: Shown) => `${c.width}ch + 17px`;
  return {
    gridTemplateColumns: columns.map((c) => (c.grows === true ? `minmax(calc(${least(c)}), ${c.width}fr)` : `calc(${least(c)})`)).join(" "),
    minWidth: `calc(${columns.map(least).join(" + ")})`,
  };
}
