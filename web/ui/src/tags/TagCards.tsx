import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { AgeText, QualityText, ValueText } from "../components/value";
import { useDraft } from "../draft/context";
import { path } from "../draft/draft";
import { useWatch } from "../live/context";
import type { ShowProps } from "./TagTable";

const cardHeight = 60;

/** The sheet on a phone: what one needs standing at the cabinet. */
export function TagCards({ tags, generation, onOpen, withDevice }: ShowProps) {
  const scroller = useRef<HTMLDivElement>(null);
  // As in TagTable.
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({ count: tags.length, getScrollElement: () => scroller.current, estimateSize: () => cardHeight, overscan: 8 });
  const items = virtual.getVirtualItems();
  useWatch(
    generation,
    items.flatMap((v) => tags[v.index]?.id ?? []),
  );
  const { draft } = useDraft();
  return (
    <div className="cards" ref={scroller} role="region" aria-label="Tags" tabIndex={0}>
      <ul className="cards-body" style={{ height: virtual.getTotalSize() }}>
        {items.map((v) => {
          const tag = tags[v.index];
          if (tag === undefined) {
            return null;
          }
          const p = path(tag.device, tag.name);
          return (
            <li key={p} style={{ transform: `translateY(${v.start}px)` }} data-tag={p}>
              <button type="button" className={draft.tags[p] === undefined ? "card" : "card drafted"} onClick={() => onOpen(p)}>
                <span className="card-name">{tag.name}</span>
                <span className="card-value" data-column="value">
                  <ValueText tag={tag} generation={generation} withUnit />
                </span>
                <span className="card-place dim">
                  {withDevice ? `${tag.device} · ` : ""}
                  {tag.settings["address"] ?? (tag.settings["expr"] === undefined ? "" : "computed")}
                </span>
                <span className="card-state">
                  <QualityText tag={tag} generation={generation} /> <AgeText tag={tag} generation={generation} />
                </span>
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
