import { Autocomplete, Button, CloseButton, Drawer, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { client, unwrap, wordsOf, type Schemas } from "../api/client";
import { Waiting } from "../components/parts";
import { AgeText, QualityText, ValueText } from "../components/value";
import { faultsOf, useCheck, useDraft, useFixed } from "../draft/context";
import { path as pathOf, type TagEdits } from "../draft/draft";
import { fieldsFor, type Field } from "../draft/keys";
import { valueText } from "../lib/format";
import { judge } from "../lib/quality";
import { useStatus, useTag, type TagItem } from "../lib/queries";
import { useLiveState, useWatch } from "../live/context";

type Props = { path: string; item: TagItem | undefined; generation: number; onClose: () => void };

/** One tag in depth: its value, and all its settings to edit. */
export function TagDrawer({ path, item, generation, onClose }: Props) {
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="md"
      withCloseButton={false}
      attributes={{ content: { "aria-label": `Tag ${path}` } }}
      transitionProps={{ duration: 0 }}
      overlayProps={{ backgroundOpacity: 0.2 }}
      lockScroll={false} // the page has its own scroller; the lock would add a style that our policy forbids
    >
      <div className="drawer-head">
        <h2>{path}</h2>
        <CloseButton onClick={onClose} aria-label="Close" />
      </div>
      {item === undefined ? <p>There is no tag of this name any more.</p> : <Body item={item} generation={generation} onClose={onClose} />}
    </Drawer>
  );
}

function Body({ item, generation, onClose }: { item: TagItem; generation: number; onClose: () => void }) {
  const revision = useLiveState((s) => s.beat?.revision);
  const { data, error } = useTag(item.device, item.name, revision);
  useWatch(generation, [item.id]);
  return (
    <>
      <Now item={item} generation={generation} />
      {data === undefined ? <Waiting error={error} /> : <Form item={item} detail={data} onClose={onClose} />}
    </>
  );
}

function Now({ item, generation }: { item: TagItem; generation: number }) {
  const ask = useMutation({
    mutationFn: async () =>
      unwrap(await client.GET("/api/read/{device}/{tag}", { params: { path: { device: item.device, tag: item.name } } })),
  });
  return (
    <div className="now">
      <span className="now-value">
        <ValueText tag={item} generation={generation} withUnit />
      </span>
      <span className="now-state">
        <QualityText tag={item} generation={generation} /> <AgeText tag={item} generation={generation} />
      </span>
      <Button size="compact-sm" variant="default" loading={ask.isPending} onClick={() => ask.mutate()} disabled={!item.readable}>
        Read now
      </Button>
      <p className="now-answer" role="status">
        {ask.error !== null && <span className="look look-bad">✕ {wordsOf(ask.error)}</span>}
        {ask.data !== undefined && <Answer item={item} row={ask.data.latest} />}
      </p>
    </div>
  );
}

function Answer({ item, row }: { item: TagItem; row: Schemas["Row"] }) {
  const { look, words } = judge(row);
  return (
    <span className={`look look-${look}`}>
      The device answered: {words} {row.text === "" ? "" : `${valueText(row, item.settings)} ${item.unit}`}
    </span>
  );
}

function Form({ item, detail, onClose }: { item: TagItem; detail: Schemas["TagDetail"]; onClose: () => void }) {
  const { draft, dispatch } = useDraft();
  const check = useCheck();
  const fixed = useFixed(item.device, item.name, detail.revision);
  const driver = useDriver(item.link);
  const keys = Object.keys(detail.settings);
  const edits: TagEdits | undefined = draft.tags[pathOf(item.device, item.name)];
  const faults = faultsOf(check.report, item.device, item.name, keys);
  const set = (key: string, to: string) =>
    dispatch({ do: "edit", revision: detail.revision, device: item.device, tag: item.name, key, from: detail.settings[key]?.text ?? "", to });
  const changed = edits === undefined ? 0 : Object.keys(edits.edits).length;
  return (
    <form
      className="form"
      onSubmit={(e) => e.preventDefault()} // nothing is sent from here: see Changes
      aria-label={`Settings of ${item.device}/${item.name}`}
    >
      {(faults.get("") ?? []).map((f, i) => (
        <p key={i} className="banner banner-bad" role="alert">
          ✕ {f.text}
          {f.hint === undefined ? "" : ` – ${f.hint}`}
        </p>
      ))}
      {fixed !== "" && (
        <p className="banner" data-testid="fixed">
          These settings cannot be changed here: {fixed}
        </p>
      )}
      {fieldsFor(keys, driver).map((g) => (
        <fieldset key={g.name} disabled={fixed !== ""}>
          <legend>{g.name}</legend>
          {g.fields.map((f) => (
            <Input key={f.key} field={f} setting={detail.settings[f.key]} edit={edits?.edits[f.key]} faults={faults.get(f.key)} onChange={(to) => set(f.key, to)} />
          ))}
        </fieldset>
      ))}
      <div className="form-end">
        <span className="dim" role="status" data-testid="check-state">
          {changed === 0 ? "Nothing changed" : check.busy ? "Checking …" : check.stale ? "◇ The configuration has changed meanwhile" : faults.size > 0 ? "✕ Has faults" : "Checked, no fault"}
        </span>
        <Button variant="default" size="compact-md" disabled={changed === 0} onClick={() => dispatch({ do: "discard", device: item.device, tag: item.name })}>
          Discard
        </Button>
        {changed === 0 ? (
          <Button size="compact-md" disabled>
            Review
          </Button>
        ) : (
          <Link to="/changes" className="button" onClick={onClose}>
            Review
          </Link>
        )}
      </div>
    </form>
  );
}

function useDriver(link: string): string {
  const { data } = useStatus();
  return data?.links.find((l) => l.name === link)?.driver ?? "";
}

type InputProps = {
  field: Field;
  setting: Schemas["Setting"] | undefined;
  edit: { from: string; to: string } | undefined;
  faults: Schemas["Fault"][] | undefined;
  onChange: (to: string) => void;
};

function Input({ field, setting, edit, faults, onChange }: InputProps) {
  const from = setting?.from ?? "";
  const inherited = from === "tag" || (setting?.text ?? "") === "" ? "" : from === "default" ? "default" : `from ${from}`;
  const was = edit === undefined ? "" : `was ${edit.from === "" ? "nothing" : edit.from}`;
  const common = {
    className: `${field.long ? "long" : ""} ${edit === undefined ? "" : "drafted"}`,
    label: field.label,
    description: [was || inherited, field.help].filter(Boolean).join(" · ") || undefined,
    value: edit?.to ?? setting?.text ?? "",
    error: faults?.map((f) => `✕ ${f.text}${f.hint === undefined ? "" : ` – ${f.hint}`}`).join("; "),
    inputWrapperOrder: ["label" as const, "input" as const, "error" as const, "description" as const],
    autoComplete: "off",
    spellCheck: false,
    size: "xs",
    name: field.key,
  };
  if (field.choices !== undefined) {
    return <Autocomplete {...common} data={field.choices} onChange={onChange} filter={({ options }) => options} />;
  }
  return <TextInput {...common} onChange={(e) => onChange(e.currentTarget.value)} />;
}
