import type { TagItem } from "../lib/queries";

// The filter line of the tags page: words that must all match. `device:pump`
// looks in one place, `quality:bad` at the live value, a bare word anywhere;
// a minus in front turns a word around.

type Term = { key: string; text: string; not: boolean };

export function parse(line: string): Term[] {
  const terms: Term[] = [];
  for (const m of line.matchAll(/(-?)(?:([a-z_]+):)?(?:"([^"]*)"|(\S+))/gi)) {
    const text = (m[3] ?? m[4] ?? "").toLowerCase();
    if (text !== "") {
      terms.push({ key: (m[2] ?? "").toLowerCase(), text, not: m[1] === "-" });
    }
  }
  return terms;
}

/** Whether a tag passes; quality is that of its latest value, where known. */
export function matches(tag: TagItem, terms: Term[], quality: string | undefined): boolean {
  return terms.every((t) => holds(tag, t, quality) !== t.not);
}

function holds(tag: TagItem, t: Term, quality: string | undefined): boolean {
  switch (t.key) {
    case "":
      return anywhere(tag, t.text);
    case "quality":
      return quality !== undefined && has(quality, t.text);
    case "tag":
    case "name":
      return has(tag.name, t.text);
    case "device":
      return has(tag.device, t.text);
    case "link":
      return has(tag.link, t.text);
  }
  const place = tag.settings[t.key] ?? tag.labels[t.key];
  // Not a place of this tag: an address such as hr:100 has a colon too.
  return place === undefined ? anywhere(tag, `${t.key}:${t.text}`) : has(place, t.text);
}

function anywhere(tag: TagItem, text: string): boolean {
  return [tag.device, tag.name, `${tag.device}/${tag.name}`, tag.link, tag.unit, ...Object.values(tag.settings)].some((s) => has(s, text));
}

function has(s: string, part: string): boolean {
  return s.toLowerCase().includes(part);
}

/** Whether the filter needs to look again when the quality of a tag changes. */
export function looksAtQuality(terms: Term[]): boolean {
  return terms.some((t) => t.key === "quality");
}
