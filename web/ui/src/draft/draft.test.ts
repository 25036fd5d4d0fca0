import { describe, expect, test } from "vitest";
import { changes, count, empty, reduce, revive, type Action, type Draft } from "./draft";

function edit(key: string, from: string, to: string, tag = "speed", revision = "r1"): Action {
  return { do: "edit", revision, device: "pump", tag, key, from, to };
}

function after(...actions: Action[]): Draft {
  return actions.reduce(reduce, empty);
}

describe("the draft", () => {
  test("remembers the revision of its first edit", () => {
    const d = after(edit("scale", "0.1", "0.2"), edit("unit", "rpm", "Hz", "speed", "r2"));
    expect(d.base).toBe("r1");
    expect(count(d)).toBe(2);
  });

  test("is empty again when a setting is typed back", () => {
    expect(after(edit("scale", "0.1", "0.2"), edit("scale", "0.1", "0.1 "))).toEqual(empty);
  });

  test("keeps the first origin of a setting", () => {
    const d = after(edit("scale", "0.1", "0.2"), edit("scale", "0.2", "0.3"));
    expect(d.tags["pump/speed"]?.edits["scale"]).toEqual({ from: "0.1", to: "0.3" });
  });

  test("drops one of two settings and keeps the other", () => {
    const d = after(edit("scale", "0.1", "0.2"), edit("unit", "rpm", "Hz"), edit("scale", "0.1", "0.1"));
    expect(changes(d)).toEqual([{ device: "pump", tag: "speed", set: { unit: "Hz" } }]);
  });

  test("discards one tag", () => {
    const d = after(edit("scale", "0.1", "0.2"), edit("unit", "", "l", "total"), { do: "discard", device: "pump", tag: "speed" });
    expect(Object.keys(d.tags)).toEqual(["pump/total"]);
    expect(reduce(d, { do: "discard", device: "pump", tag: "total" })).toEqual(empty);
    expect(reduce(d, { do: "discard", device: "pump", tag: "never" })).toBe(d);
  });

  test("moves to another base only when it holds something", () => {
    expect(reduce(empty, { do: "rebase", revision: "r9" })).toEqual(empty);
    expect(reduce(after(edit("scale", "0.1", "0.2")), { do: "rebase", revision: "r9" }).base).toBe("r9");
  });

  test("is sent sorted and trimmed, an emptied setting as empty text", () => {
    const d = after(edit("unit", "l", " m³ ", "total"), edit("scale", "0.1", ""));
    expect(changes(d)).toEqual([
      { device: "pump", tag: "speed", set: { scale: "" } },
      { device: "pump", tag: "total", set: { unit: "m³" } },
    ]);
  });

  test("survives a reload, and odd storage counts as nothing", () => {
    const d = after(edit("scale", "0.1", "0.2"));
    expect(revive(JSON.stringify(d))).toEqual(d);
    for (const odd of [null, "", "{", "null", "7", '{"base":"r1"}', '{"base":"r1","tags":{"a/b":{"device":1,"tag":"b","edits":{}}}}', '{"base":"r1","tags":{"a/b":{}}}']) {
      expect(revive(odd), String(odd)).toEqual(empty);
    }
  });
});
