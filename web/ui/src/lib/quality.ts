// How a value looks. One place decides, for the table, the cards and the
// drawer.

export type Look = "good" | "uncertain" | "stale" | "bad" | "none";

export type Judged = {
  look: Look;
  /** Symbol and word; empty for good: a good value is plain text. */
  words: string;
};

type Latest = { quality: string; reason?: string };

export function judge(row: Latest | undefined): Judged {
  if (row === undefined) {
    return { look: "none", words: "" };
  }
  switch (row.quality) {
    case "good":
      return { look: "good", words: "" };
    case "uncertain":
      if (row.reason === "stale") {
        return { look: "stale", words: "⏲ stale" };
      }
      return { look: "uncertain", words: `◇ ${row.reason || "uncertain"}` };
    case "bad":
      return { look: "bad", words: `✕ ${row.reason || "bad"}` };
    default:
      return { look: "none", words: "not read yet" };
  }
}
