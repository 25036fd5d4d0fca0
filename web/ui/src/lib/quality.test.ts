import { expect, test } from "vitest";
import { judge } from "./quality";

test.each([
  [undefined, "none", ""],
  [{ quality: "good" }, "good", ""],
  [{ quality: "uncertain", reason: "stale" }, "stale", "⏲ stale"],
  [{ quality: "uncertain", reason: "out of range" }, "uncertain", "◇ out of range"],
  [{ quality: "uncertain" }, "uncertain", "◇ uncertain"],
  [{ quality: "bad", reason: "device dead" }, "bad", "✕ device dead"],
  [{ quality: "bad" }, "bad", "✕ bad"],
  [{ quality: "none" }, "none", "not read yet"],
  [{ quality: "something new" }, "none", "not read yet"],
])("%o", (row, look, words) => expect(judge(row)).toEqual({ look, words }));
