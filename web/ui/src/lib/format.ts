// How figures are written. Everything here is a pure function.

/** An age or a span in the one or two units that matter: "3 s", "4 min", "2 h 10 min". */
export function ageText(ms: number): string {
  const s = Math.floor(Math.max(ms, 0) / 1000);
  if (s < 1) {
    return "< 1 s";
  }
  if (s < 60) {
    return `${s} s`;
  }
  if (s < 3600) {
    return s < 600 ? `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s` : `${Math.floor(s / 60)} min`;
  }
  if (s < 48 * 3600) {
    return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  }
  return `${Math.floor(s / 86400)} days`;
}

/** The same, short enough for a table: "3 s", "4 min", "2 h", "5 d". */
export function shortAge(ms: number): string {
  const s = Math.floor(Math.max(ms, 0) / 1000);
  if (s < 1) {
    return "< 1 s";
  }
  if (s < 60) {
    return `${s} s`;
  }
  if (s < 3600) {
    return `${Math.floor(s / 60)} min`;
  }
  if (s < 48 * 3600) {
    return `${Math.floor(s / 3600)} h`;
  }
  return `${Math.floor(s / 86400)} d`;
}

/** A span of seconds as configured or measured: "< 1 ms", "7 ms", "620 ms", "1.5 s", "15 min". */
export function spanText(seconds: number): string {
  if (seconds <= 0) {
    return "–";
  }
  if (seconds < 0.001) {
    return "< 1 ms";
  }
  if (seconds < 1) {
    return `${Math.round(seconds * 1000)} ms`;
  }
  if (seconds < 120) {
    return `${trim(seconds, 3)} s`;
  }
  return ageText(seconds * 1000);
}

function trim(n: number, digits: number): string {
  return String(Number(n.toPrecision(digits)));
}

/** 48212 as "48 212", with a narrow space that does not break. */
export function countText(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** 1 answer, 412 answers. */
export function answersText(n: number): string {
  return n === 1 ? "1 answer" : `${countText(n)} answers`;
}

/** A share of 1 in percent; what is more than nothing does not look like nothing. */
export function shareText(share: number): string {
  const percent = Math.round(share * 100);
  return share > 0 && percent < 1 ? "< 1 %" : `${percent} %`;
}

/** The name of a revision as it is shown: short enough to read out, unlike a whole hash. */
export function revisionText(id: string): string {
  return id.slice(0, 8);
}

/** Bytes in binary units. */
export function bytesText(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${i === 0 ? n : trim(n, 3)} ${units[i] ?? ""}`;
}

/** 14:02:11 in local time, with the date in front when it is not today. */
export function clockText(ms: number, now: number): string {
  const d = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const time = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  if (new Date(now).toDateString() === d.toDateString()) {
    return time;
  }
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${time}`;
}

/** UTC for those who hover. */
export function utcText(ms: number): string {
  return ms === 0 ? "never" : new Date(ms).toISOString().replace("T", " ").replace("Z", " UTC");
}

/** The settings of a tag that say how many decimals its value has. */
export type Precision = { type?: string; scale?: string; offset?: string };

/**
 * A value for reading. Text and integers stay exact whatever their size; a
 * scaled integer keeps the decimals of its scale and offset; a float is cut
 * to the digits that it carries. The exact text is one hover away.
 */
export function valueText(row: { text: string; kind: string }, p: Precision): string {
  if (row.kind !== "float32" && row.kind !== "float64") {
    return row.text;
  }
  const n = Number(row.text);
  if (!Number.isFinite(n)) {
    return row.text;
  }
  const digits = row.kind === "float32" || p.type === "float32" ? 7 : 10;
  const size = Math.abs(n);
  if (size !== 0 && (size >= 1e15 || size < 1e-6)) {
    return n.toExponential(digits - 1).replace(/\.?0+e/, "e");
  }
  const places = Math.max(decimals(p.scale), decimals(p.offset));
  if (/^(u?int|bcd)/.test(p.type ?? "") && places <= 6) {
    return n.toFixed(places);
  }
  return trim(n, digits);
}

function decimals(n: string | undefined): number {
  if (!n || !/^[+-]?\d+(\.\d+)?$/.test(n)) {
    return n ? 7 : 0; // an exponent or an expression: leave it to the digits
  }
  const [, after = ""] = n.split(".");
  return after.replace(/0+$/, "").length;
}
