import type { ReactNode } from "react";
import { ageText, clockText, revisionText, utcText } from "../lib/format";
import { stateWords, type Part } from "../lib/states";
import { useNow } from "../live/context";
import { wordsOf } from "../api/client";

/** A heading, what belongs to it, and what it can do. */
export function Panel({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <section className="panel">
      <div className="panel-head">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** A state in words; colour only when something is wrong. */
export function StateText({ of, state }: { of: Part; state: string }) {
  const { mark, word, look } = stateWords(of, state);
  return (
    <span className={`look look-${look}`}>
      {mark}
      {word}
    </span>
  );
}

/** How long ago something was, ticking; UTC on hover. */
export function Since({ at, never = "never" }: { at: number; never?: string }) {
  const now = useNow();
  if (at === 0) {
    return <span className="dim">{never}</span>;
  }
  return <span title={`${clockText(at, now)}, ${utcText(at)}`}>{ageText(now - at)}</span>;
}

/** The same with "ago" behind it. */
export function Ago({ at }: { at: number }) {
  return (
    <span>
      <Since at={at} />
      {at === 0 ? "" : " ago"}
    </span>
  );
}

const behindAfter = 30_000;

/** How old the oldest waiting sample is; marked from where it is more than on its way. */
export function Oldest({ at, never }: { at: number; never: string }) {
  const now = useNow();
  if (at === 0 || now - at < behindAfter) {
    return <Since at={at} never={never} />;
  }
  return (
    <span className="look look-uncertain">
      ◇ <Since at={at} />
    </span>
  );
}

/** A moment by the clock; UTC on hover. */
export function At({ at }: { at: number }) {
  const now = useNow();
  return <time dateTime={new Date(at).toISOString()} title={utcText(at)}>{clockText(at, now)}</time>;
}

/** A revision by its short name; the whole one on hover. */
export function Revision({ id }: { id: string }) {
  return (
    <span className="revision" title={id}>
      {revisionText(id)}
    </span>
  );
}

/** What stands in a page's place while it loads, and when it cannot. */
export function Waiting({ error }: { error: Error | null }) {
  if (error) {
    return (
      <p className="banner banner-bad" role="alert">
        ✕ Nothing to show: {wordsOf(error)}.
      </p>
    );
  }
  return <p className="dim">Loading …</p>;
}

/** A name and a figure below each other, for cards. */
export function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="figure">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A share of something as a thin bar; wrong when over the limit. */
export function Bar({ share, label, limit = 1 }: { share: number; label: string; limit?: number }) {
  const width = Math.min(Math.max(share, 0), 1) * 100;
  return (
    <svg className={share > limit ? "bar bar-over" : "bar"} role="img" aria-label={label} viewBox="0 0 100 6" preserveAspectRatio="none">
      <rect className="bar-ground" x="0" y="0" width="100" height="6" />
      <rect className="bar-fill" x="0" y="0" width={width} height="6" />
    </svg>
  );
}
