import { TextInput } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useMemo } from "react";
import { Waiting } from "../components/parts";
import { countText } from "../lib/format";
import { useTags, type TagItem, type TagList } from "../lib/queries";
import { useLevels, useLive } from "../live/context";
import { looksAtQuality, matches, parse } from "./filter";
import { TagCards } from "./TagCards";
import { TagDrawer } from "./TagDrawer";
import { TagTable } from "./TagTable";

type Props = {
  /** Only the tags of this device. */
  device?: string;
  line: string;
  onLine: (line: string) => void;
  /** device/tag whose drawer is open. */
  open: string | undefined;
  onOpen: (path: string | undefined) => void;
};

const none: TagItem[] = [];

/** All tags with their live values, a filter above, a drawer for one beside. */
export function TagBrowser(p: Props) {
  const { data, error } = useTags();
  if (data === undefined) {
    return <Waiting error={error} />;
  }
  return <Loaded {...p} list={data} />;
}

function Loaded({ device, line, onLine, open, onOpen, list }: Props & { list: TagList }) {
  const phone = useMediaQuery("(max-width: 47.99em)", undefined, { getInitialValueInEffect: false });
  const own = useMemo(() => (device === undefined ? list.tags : list.tags.filter((t) => t.device === device)), [list, device]);
  const shown = useFiltered(own, line, list.generation);
  const show = { tags: shown, own, generation: list.generation, onOpen, withDevice: device === undefined };
  const opened = open === undefined ? undefined : list.tags.find((t) => `${t.device}/${t.name}` === open);
  return (
    <>
      <div className="filter">
        <TextInput
          className="filter-line"
          aria-label="Filter"
          placeholder={device === undefined ? "Filter: device:pump quality:bad" : "Filter: temperature quality:bad"}
          value={line}
          onChange={(e) => onLine(e.currentTarget.value)}
          type="search"
          size="xs"
        />
        <div className="filter-quick">
          {["quality:bad", "quality:uncertain"].map((q) => (
            <button key={q} type="button" className="quick" aria-pressed={line === q} onClick={() => onLine(line === q ? "" : q)}>
              {q === "quality:bad" ? "Bad" : "Uncertain"}
            </button>
          ))}
        </div>
        <span className="dim" role="status" data-testid="tag-count">
          {shown.length === own.length ? `${countText(own.length)} tags` : `${countText(shown.length)} of ${countText(own.length)} tags`}
        </span>
      </div>
      {shown.length === 0 ? (
        <p className="dim">{own.length === 0 ? "No tag yet: name one in tagmap.yaml, then reload." : "No tag matches the filter."}</p>
      ) : phone ? (
        <TagCards {...show} />
      ) : (
        <TagTable {...show} />
      )}
      {open !== undefined && <TagDrawer path={open} item={opened} generation={list.generation} onClose={() => onOpen(undefined)} />}
    </>
  );
}

function useFiltered(tags: TagItem[], line: string, generation: number): TagItem[] {
  const live = useLive();
  const version = useLevels();
  const terms = useMemo(() => parse(line), [line]);
  const levels = looksAtQuality(terms) ? version : 0;
  return useMemo(() => {
    if (terms.length === 0) {
      return tags;
    }
    // Named so that a change of any quality filters again.
    void levels;
    const found = tags.filter((t) => matches(t, terms, live.level(t.id, generation)));
    return found.length === 0 ? none : found;
  }, [tags, terms, levels, live, generation]);
}
