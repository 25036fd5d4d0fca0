import { clockText, shortAge, utcText, valueText } from "../lib/format";
import { judge } from "../lib/quality";
import type { TagItem } from "../lib/queries";
import { useNow, useRow } from "../live/context";

type Props = { tag: TagItem; generation: number };

/** The value of a tag, live; never without its look. Where there is no value there is no unit. */
export function ValueText({ tag, generation, withUnit = false }: Props & { withUnit?: boolean }) {
  const row = useRow(tag.id, generation);
  const { look } = judge(row);
  if (!tag.readable) {
    return <span className="dim">write only</span>;
  }
  if (row === undefined) {
    return <span className="dim">…</span>;
  }
  const exact = row.text === "" ? "no value" : row.text;
  return (
    <>
      {/* A new key makes a new element, and with it the short fade of a changed value. */}
      <span key={row.text} className={`value value-${look}`} title={exact}>
        {row.text === "" ? "–" : valueText(row, tag.settings)}
      </span>
      {withUnit && row.text !== "" && tag.unit !== "" && <span className="dim"> {tag.unit}</span>}
    </>
  );
}

/** Symbol and word of the quality; nothing at all while it is good. */
export function QualityText({ tag, generation }: Props) {
  const row = useRow(tag.id, generation);
  const { look, words } = judge(row);
  if (words === "" || !tag.readable) {
    return null;
  }
  return <span className={`look look-${look}`}>{words}</span>;
}

/** How old the value is, ticking; the source timestamp on hover. */
export function AgeText({ tag, generation }: Props) {
  const row = useRow(tag.id, generation);
  const now = useNow();
  if (row?.fresh === undefined || row.fresh === 0) {
    return null;
  }
  const look = judge(row).look;
  const source = row.time ? `source ${clockText(row.time, now)}, ${utcText(row.time)}` : "";
  return (
    <span className={look === "stale" || look === "bad" ? "age age-old" : "age"} title={source}>
      {shortAge(now - row.fresh)}
    </span>
  );
}
