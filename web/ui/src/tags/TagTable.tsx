import { createColumnHelper, createSortedRowModel, rowSortingFeature, sortFns, tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState, type CSSProperties, type KeyboardEvent } from "react";
import { AgeText, QualityText, ValueText } from "../components/value";
import { useDraft } from "../draft/context";
import { path, type TagEdits } from "../draft/draft";
import { spanText } from "../lib/format";
import type { TagItem } from "../lib/queries";
import { useWatch } from "../live/context";

export type ShowProps = {
  tags: TagItem[];
  generation: number;
  onOpen: (path: string) => void;
  withDevice: boolean;
};

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel(), sortFns });
const helper = createColumnHelper<typeof features, TagItem>();

/** How a column is laid out; the table library knows nothing of it. */
const layout: Record<string, { width: string; num?: boolean; live?: boolean; setting?: string }> = {
  device: { width: "5.5rem" },
  name: { width: "minmax(8.5rem, 1.4fr)" },
  value: { width: "10.5rem", num: true, live: true },
  unit: { width: "3rem", setting: "unit" },
  quality: { width: "7.5rem", live: true },
  age: { width: "3.6rem", num: true, live: true },
  address: { width: "minmax(6.2rem, 1fr)", setting: "address" },
  type: { width: "4.4rem", setting: "type" },
  byte_order: { width: "5.6rem", setting: "byte_order" },
  scale: { width: "3.4rem", num: true, setting: "scale" },
  offset: { width: "3.8rem", num: true, setting: "offset" },
  deadband: { width: "4.7rem", num: true, setting: "deadband" },
  interval: { width: "4.4rem", num: true, setting: "interval" },
  class: { width: "3.6rem", setting: "class" },
  description: { width: "minmax(6rem, 1fr)", setting: "description" },
};

const numeric = (key: string) => (t: TagItem) => (t.settings[key] === undefined ? undefined : Number(t.settings[key]));
const text = (key: string) => (t: TagItem) => t.settings[key] ?? "";

const columns = helper.columns([
  helper.accessor("device", { header: "Device" }),
  helper.accessor("name", { header: "Tag" }),
  helper.display({ id: "value", header: "Value" }),
  helper.accessor("unit", { header: "Unit" }),
  helper.display({ id: "quality", header: "Quality" }),
  helper.display({ id: "age", header: "Age" }),
  helper.accessor(text("address"), { id: "address", header: "Address" }),
  helper.accessor(text("type"), { id: "type", header: "Type" }),
  helper.accessor(text("byte_order"), { id: "byte_order", header: "Order" }),
  helper.accessor(numeric("scale"), { id: "scale", header: "Scale", sortUndefined: "last" }),
  helper.accessor(numeric("offset"), { id: "offset", header: "Offset", sortUndefined: "last" }),
  helper.accessor(numeric("deadband"), { id: "deadband", header: "Deadband", sortUndefined: "last" }),
  helper.accessor("interval_seconds", { id: "interval", header: "Interval" }),
  helper.accessor(text("class"), { id: "class", header: "Class" }),
  helper.accessor(text("description"), { id: "description", header: "Description" }),
]);

const rowHeight = 28;

/** The sheet: every property a column, the live value in the same row. */
export function TagTable({ tags, generation, onOpen, withDevice }: ShowProps) {
  const table = useTable({ features, columns, data: tags });
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
  const ids = table.getAllColumns().flatMap((c) => (c.id === "device" && !withDevice ? [] : [c.id]));
  const style = useMemo(() => ({ gridTemplateColumns: ids.map((id) => layout[id]?.width ?? "auto").join(" ") }), [ids]);
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
    <div className="sheet" ref={scroller} role="grid" aria-label="Tags" aria-rowcount={rows.length + 1} aria-colcount={ids.length}>
      <div className="sheet-row sheet-head" role="row" aria-rowindex={1} style={style}>
        {table.getHeaderGroups()[0]?.headers.map((h) => {
          if (h.column.id === "device" && !withDevice) {
            return null;
          }
          const sorted = h.column.getIsSorted();
          const title = String(h.column.columnDef.header);
          return (
            <div
              key={h.id}
              role="columnheader"
              className={layout[h.column.id]?.num ? "num" : ""}
              aria-sort={sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : undefined}
            >
              {h.column.getCanSort() ? (
                <button type="button" onClick={h.column.getToggleSortingHandler()}>
                  {title}
                  {sorted === "asc" ? " ↑" : sorted === "desc" ? " ↓" : ""}
                </button>
              ) : (
                title
              )}
            </div>
          );
        })}
      </div>
      <div role="rowgroup" className="sheet-body" style={{ height: virtual.getTotalSize() }}>
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
              style={{ ...style, transform: `translateY(${v.start}px)` } satisfies CSSProperties}
              onClick={() => {
                setActive(v.index);
                onOpen(p);
              }}
              onFocus={() => setActive(v.index)}
              onKeyDown={(e) => onKey(e, tag)}
            >
              {ids.map((id) => (
                <Cell key={id} column={id} tag={tag} generation={generation} edits={draft.tags[p]} />
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Cell({ column, tag, generation, edits }: { column: string; tag: TagItem; generation: number; edits: TagEdits | undefined }) {
  const l = layout[column];
  const setting = l?.setting;
  const edit = setting === undefined ? undefined : edits?.edits[setting];
  const shown = edit?.to ?? settled(column, tag);
  return (
    <div
      role="gridcell"
      className={`${l?.num ? "num" : ""} ${edit === undefined ? "" : "edited"} ${column === "name" ? "strong" : ""}`}
      title={l?.live ? undefined : shown}
      data-column={column}
    >
      {column === "value" ? (
        <ValueText tag={tag} generation={generation} />
      ) : column === "quality" ? (
        <QualityText tag={tag} generation={generation} />
      ) : column === "age" ? (
        <AgeText tag={tag} generation={generation} />
      ) : (
        shown
      )}
    </div>
  );
}

function settled(column: string, tag: TagItem): string {
  switch (column) {
    case "device":
      return tag.device;
    case "name":
      return tag.name;
    case "interval":
      return tag.interval_seconds > 0 ? spanText(tag.interval_seconds) : "";
    case "class":
      return tag.settings["class"] === "normal" ? "" : (tag.settings["class"] ?? "");
    default:
      return tag.settings[column] ?? "";
  }
}
