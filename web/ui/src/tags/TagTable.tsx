import { createColumnHelper, createSortedRowModel, rowSortingFeature, sortFns, tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState, type CSSProperties, type KeyboardEvent } from "react";
import { AgeText, QualityText, ValueText } from "../components/value";
import { useDraft } from "../draft/context";
import { path, type TagEdits } from "../draft/draft";
import type { TagItem } from "../lib/queries";
import { useWatch } from "../live/context";
import { all, columnsFor, gridOf, settled, type Column } from "./columns";

export type ShowProps = {
  tags: TagItem[];
  /** All tags that a filter could show, for the widths. */
  own: TagItem[];
  generation: number;
  onOpen: (path: string) => void;
  withDevice: boolean;
};

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel(), sortFns });
const helper = createColumnHelper<typeof features, TagItem>();

const numeric = (key: string) => (t: TagItem) => (t.settings[key] === undefined ? undefined : Number(t.settings[key]));

/** How a column sorts; live ones do not, since their rows would not hold still. */
const sorters = helper.columns(
  all.map((c) => {
    if (c.live === true) {
      return helper.display({ id: c.id, header: c.title });
    }
    if (c.id === "interval") {
      return helper.accessor("interval_seconds", { id: c.id, header: c.title });
    }
    return c.num === true
      ? helper.accessor(numeric(c.id), { id: c.id, header: c.title, sortUndefined: "last" })
      : helper.accessor((t: TagItem) => settled(c.id, t), { id: c.id, header: c.title });
  }),
);

const rowHeight = 28;

/** The sheet: every property a column, the live value in the same row. */
export function TagTable({ tags, own, generation, onOpen, withDevice }: ShowProps) {
  const table = useTable({ features, columns: sorters, data: tags });
  const rows = table.getRowModel().rows;
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  // The compiler must not keep what this returns: it changes with each scroll.
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 });
  const items = virtual.getVirtualItems();
  useWatch(
    generation,
    items.flatMap((v) => rows[v.index]?.original.id ?? []),
  );
  const columns = useMemo(() => columnsFor(own, withDevice), [own, withDevice]);
  const grid = useMemo(() => gridOf(columns), [columns]);
  const { draft } = useDraft();
  const at = Math.min(active, rows.length - 1);

  const go = (to: number) => {
    const next = Math.max(0, Math.min(to, rows.length - 1));
    setActive(next);
    virtual.scrollToIndex(next);
    const row = () => scroller.current?.querySelector<HTMLElement>(`[data-index="${next}"]`);
    // A near row is there already; a far one is drawn after the scroll.
    const near = row();
    if (near) {
      near.focus({ preventScroll: true });
    } else {
      requestAnimationFrame(() => requestAnimationFrame(() => row()?.focus({ preventScroll: true })));
    }
  };
  const onKey = (e: KeyboardEvent, row: TagItem) => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2);
    const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: rows.length - 1 };
    const next = to[e.key];
    if (next !== undefined) {
      e.preventDefault();
      go(next);
    } else if (e.key === "Enter" || e.key === "F2") {
      e.preventDefault();
      onOpen(path(row.device, row.name));
    }
  };

  return (
    <div className="sheet" ref={scroller} role="grid" aria-label="Tags" aria-rowcount={rows.length + 1} aria-colcount={columns.length}>
      <div className="sheet-row sheet-head" role="row" aria-rowindex={1} style={grid}>
        {columns.map((c) => {
          const sorter = table.getColumn(c.id);
          const sorted = sorter?.getIsSorted();
          return (
            <div key={c.id} role="columnheader" className={c.num === true ? "num" : ""} aria-sort={sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : undefined}>
              {sorter?.getCanSort() === true ? (
                <button type="button" onClick={sorter.getToggleSortingHandler()}>
                  {c.title}
                  {sorted === "asc" ? " ↑" : sorted === "desc" ? " ↓" : ""}
                </button>
              ) : (
                c.title
              )}
            </div>
          );
        })}
      </div>
      <div role="rowgroup" className="sheet-body" style={{ height: virtual.getTotalSize(), minWidth: grid.minWidth }}>
        {items.map((v) => {
          const tag = rows[v.index]?.original;
          if (tag === undefined) {
            return null;
          }
          const p = path(tag.device, tag.name);
          return (
            <div
              key={p}
              role="row"
              data-index={v.index}
              data-tag={p}
              aria-rowindex={v.index + 2}
              tabIndex={v.index === at ? 0 : -1}
              className={draft.tags[p] === undefined ? "sheet-row" : "sheet-row drafted"}
              style={{ ...grid, transform: `translateY(${v.start}px)` } satisfies CSSProperties}
              onClick={() => {
                setActive(v.index);
                onOpen(p);
              }}
              onFocus={() => setActive(v.index)}
              onKeyDown={(e) => onKey(e, tag)}
            >
              {columns.map((c) => (
                <Cell key={c.id} column={c} tag={tag} generation={generation} edits={draft.tags[p]} />
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Cell({ column: c, tag, generation, edits }: { column: Column; tag: TagItem; generation: number; edits: TagEdits | undefined }) {
  const edit = c.setting === undefined ? undefined : edits?.edits[c.setting];
  const shown = edit?.to ?? settled(c.id, tag);
  return (
    <div
      role="gridcell"
      className={`${c.num === true ? "num" : ""} ${edit === undefined ? "" : "edited"} ${c.id === "name" ? "strong" : ""}`}
      title={c.live === true ? undefined : shown}
      data-column={c.id}
    >
      {c.id === "value" ? (
        <ValueText tag={tag} generation={generation} />
      ) : c.id === "quality" ? (
        <QualityText tag={tag} generation={generation} />
      ) : c.id === "age" ? (
        <AgeText tag={tag} generation={generation} />
      ) : (
        shown
      )}
    </div>
  );
}
