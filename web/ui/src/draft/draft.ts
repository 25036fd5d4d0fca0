// The draft: what a person has typed and not applied. A pure reducer; what it
// holds survives a reload of the page, not the end of the browser's session.

export type Edit = { from: string; to: string };
export type TagEdits = { device: string; tag: string; edits: Record<string, Edit> };
export type Draft = {
  /** Revision that the first edit was made on; empty while there is none. */
  base: string;
  /** By device/tag. */
  tags: Record<string, TagEdits>;
};

export type Action =
  | { do: "edit"; revision: string; device: string; tag: string; key: string; from: string; to: string }
  | { do: "discard"; device: string; tag: string }
  | { do: "clear" }
  | { do: "rebase"; revision: string };

export const empty: Draft = { base: "", tags: {} };

export function path(device: string, tag: string): string {
  return `${device}/${tag}`;
}

export function reduce(d: Draft, a: Action): Draft {
  switch (a.do) {
    case "edit":
      return edit(d, a);
    case "discard":
      return without(d, path(a.device, a.tag));
    case "clear":
      return empty;
    case "rebase":
      return count(d) === 0 ? empty : { ...d, base: a.revision };
  }
}

function edit(d: Draft, a: Extract<Action, { do: "edit" }>): Draft {
  const p = path(a.device, a.tag);
  const before = d.tags[p]?.edits ?? {};
  const { [a.key]: known, ...others } = before;
  // What was first replaced stays the origin, whatever is typed after it.
  const from = known?.from ?? a.from;
  if (a.to.trim() === from.trim()) {
    return Object.keys(others).length === 0 ? without(d, p) : { ...d, tags: { ...d.tags, [p]: { device: a.device, tag: a.tag, edits: others } } };
  }
  const edits = { ...before, [a.key]: { from, to: a.to } };
  return { base: d.base || a.revision, tags: { ...d.tags, [p]: { device: a.device, tag: a.tag, edits } } };
}

function without(d: Draft, p: string): Draft {
  const { [p]: gone, ...tags } = d.tags;
  if (gone === undefined) {
    return d;
  }
  return Object.keys(tags).length === 0 ? empty : { ...d, tags };
}

/** How many settings the draft changes. */
export function count(d: Draft): number {
  return Object.values(d.tags).reduce((n, t) => n + Object.keys(t.edits).length, 0);
}

/** The draft as the gateway takes it. */
export function changes(d: Draft): { device: string; tag: string; set: Record<string, string> }[] {
  return Object.keys(d.tags)
    .sort()
    .flatMap((p) => {
      const t = d.tags[p];
      if (t === undefined) {
        return [];
      }
      const set = Object.fromEntries(Object.entries(t.edits).map(([k, e]) => [k, e.to.trim()]));
      return [{ device: t.device, tag: t.tag, set }];
    });
}

/** Reads what an earlier page left; anything odd counts as nothing. */
export function revive(text: string | null): Draft {
  if (text === null) {
    return empty;
  }
  try {
    const d = JSON.parse(text) as Draft;
    const sound =
      typeof d.base === "string" &&
      Object.values(d.tags).every(
        (t) =>
          typeof t.device === "string" &&
          typeof t.tag === "string" &&
          Object.values(t.edits).every((e) => typeof e.from === "string" && typeof e.to === "string"),
      );
    return sound && count(d) > 0 ? d : empty;
  } catch {
    return empty;
  }
}
