import { describe, expect, test } from "vitest";
import { ageText, bytesText, clockText, countText, revisionText, shareText, shortAge, spanText, utcText, valueText } from "./format";

describe("ages", () => {
  test.each([
    [-500, "< 1 s", "< 1 s"],
    [999, "< 1 s", "< 1 s"],
    [1000, "1 s", "1 s"],
    [59_999, "59 s", "59 s"],
    [60_000, "1 min 00 s", "1 min"],
    [411_000, "6 min 51 s", "6 min"],
    [600_000, "10 min", "10 min"],
    [3_599_999, "59 min", "59 min"],
    [3_600_000, "1 h 00 min", "1 h"],
    [7_800_000, "2 h 10 min", "2 h"],
    [172_800_000, "2 days", "2 d"],
  ])("%i ms", (ms, long, short) => {
    expect(ageText(ms)).toBe(long);
    expect(shortAge(ms)).toBe(short);
  });
});

test.each([
  [0, "–"],
  [0.0000158, "< 1 ms"],
  [0.001, "1 ms"],
  [0.00702, "7 ms"],
  [0.012, "12 ms"],
  [0.5, "500 ms"],
  [0.6204, "620 ms"],
  [6.1, "6.1 s"],
  [10, "10 s"],
  [900, "15 min"],
])("a span of %f s", (s, want) => expect(spanText(s)).toBe(want));

test.each([
  [0, "0"],
  [999, "999"],
  [48212, "48\u202f212"],
  [1204332, "1\u202f204\u202f332"],
])("a count of %i", (n, want) => expect(countText(n)).toBe(want));

test.each([
  [0, "0 %"],
  [0.0003, "< 1 %"],
  [0.014, "1 %"],
  [1.24, "124 %"],
])("a share of %f", (n, want) => expect(shareText(n)).toBe(want));

test("a revision is named by its first digits", () => {
  expect(revisionText("e5c26770b04b07ede2d5d75ddc7c764f")).toBe("e5c26770");
  expect(revisionText("r0002")).toBe("r0002");
});

test.each([
  [512, "512 B"],
  [1536, "1.5 KiB"],
  [312 * 2 ** 20, "312 MiB"],
  [4 * 2 ** 30, "4 GiB"],
])("%i bytes", (n, want) => expect(bytesText(n)).toBe(want));

test("a clock time has its date when it is not today", () => {
  const at = new Date(2026, 10, 20, 14, 2, 11).getTime();
  expect(clockText(at, at + 1000)).toBe("14:02:11");
  expect(clockText(at, at + 86_400_000)).toBe("2026-11-20 14:02:11");
  expect(utcText(0)).toBe("never");
  expect(utcText(Date.UTC(2026, 10, 20, 13, 2, 11, 5))).toBe("2026-11-20 13:02:11.005 UTC");
});

describe("values", () => {
  test.each([
    ["bool", "true", { type: "bool" }, "true"],
    ["text", "Apple juice", { type: "string" }, "Apple juice"],
    ["text", "0012.50", { type: "string" }, "0012.50"],
    ["int", "18446744073709551615", { type: "uint64" }, "18446744073709551615"],
    ["int", "9007199254740993", { type: "int64" }, "9007199254740993"],
    ["float64", "148", { type: "uint16", scale: "0.1" }, "148.0"],
    ["float64", "148.00000000000003", { type: "uint16", scale: "0.1" }, "148.0"],
    ["float64", "21.5", { type: "int16", scale: "0.1", offset: "-40" }, "21.5"],
    ["float64", "21.25", { type: "int16", scale: "0.5", offset: "0.25" }, "21.25"],
    ["float64", "3.3333333333333335", { type: "int16", scale: "1e-1" }, "3.333333333"],
    ["float32", "231.22", { type: "float32" }, "231.22"],
    ["float64", "23.122000312805177", { type: "float32", scale: "0.1" }, "23.122"],
    ["float64", "0.30000000000000004", { type: "float64" }, "0.3"],
    ["float32", "1.234567e+06", { type: "float32" }, "1234567"],
    ["float64", "1e+21", { type: "float64" }, "1e+21"],
    ["float64", "1.7976931348623157e+308", { type: "float64" }, "1.797693135e+308"],
    ["float64", "1.5e-09", { type: "float64" }, "1.5e-9"],
    ["float64", "0", { type: "float64" }, "0"],
    ["float32", "-0.5", { type: "float32" }, "-0.5"],
    ["float64", "+Inf", { type: "float64" }, "+Inf"],
  ])("%s %s as %o", (kind, text, p, want) => expect(valueText({ kind, text }, p)).toBe(want));
});
