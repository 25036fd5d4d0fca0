import { Button, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError, client, unwrap, wordsOf, type Schemas } from "../api/client";
import { At, Panel, Revision, Waiting } from "../components/parts";
import { applyKey, isStale, keyOf, useCheck, useDraft } from "../draft/context";
import { changes, type TagEdits } from "../draft/draft";
import { labelOf } from "../draft/keys";
import { useHistory } from "../lib/queries";
import { useLiveState } from "../live/context";

export function Changes() {
  const { count } = useDraft();
  const [applied, setApplied] = useState<Schemas["Revision"] | null>(null);
  return (
    <>
      <h1>Changes</h1>
      {applied !== null && count === 0 && (
        <p className="banner banner-done" role="status">
          Applied: revision <Revision id={applied.id} /> runs.
        </p>
      )}
      {count === 0 ? (
        <Panel title="Draft">
          <p className="dim">Nothing is being changed. Open a tag and edit a setting: nothing reaches the plant until it is applied here.</p>
        </Panel>
      ) : (
        <Review onApplied={setApplied} />
      )}
      <History />
    </>
  );
}

function Review({ onApplied }: { onApplied: (r: Schemas["Revision"]) => void }) {
  const { draft, count, dispatch } = useDraft();
  const check = useCheck();
  const queries = useQueryClient();
  const [comment, setComment] = useState("");
  const apply = useMutation({
    mutationKey: applyKey,
    mutationFn: async () =>
      unwrap(await client.POST("/api/draft/apply", { params: { header: { "If-Match": `"${draft.base}"` } }, body: { changes: changes(draft), comment } })),
    onSuccess: (report) => {
      dispatch({ do: "clear" });
      if (report.applied !== undefined) {
        onApplied(report.applied);
      }
    },
    onSettled: () => queries.invalidateQueries(),
  });
  const faults = check.report?.faults ?? [];
  const ready = check.report !== undefined && faults.length === 0 && check.report.effects.length > 0;
  return (
    <Panel title="Draft" aside={<span className="dim">{count === 1 ? "1 setting" : `${count} settings`}, begun on revision <Revision id={draft.base} /></span>}>
      {(check.stale || isStale(apply.error)) && <Stale />}
      <DraftTable faults={faults} />
      {check.report !== undefined && faults.length === 0 && <Effects effects={check.report.effects} />}
      {faults.length > 0 && <Faults faults={faults} />}
      {check.error !== null && <p className="banner banner-bad">✕ The draft could not be checked: {wordsOf(check.error)}.</p>}
      {apply.error !== null && !isStale(apply.error) && (
        <p className="banner banner-bad" role="alert">
          ✕ Not applied: {wordsOf(apply.error)}.
        </p>
      )}
      {apply.error instanceof ApiError && apply.error.problem.faults !== undefined && <Faults faults={apply.error.problem.faults} />}
      <div className="review-end">
        <TextInput label="Why (for the history)" value={comment} maxLength={500} onChange={(e) => setComment(e.currentTarget.value)} />
        <Button onClick={() => apply.mutate()} disabled={!ready || check.stale} loading={apply.isPending}>
          Apply
        </Button>
        <Button variant="default" onClick={() => dispatch({ do: "clear" })} disabled={apply.isPending}>
          Discard all
        </Button>
        <span className="dim" role="status">
          {check.busy ? "Checking …" : ""}
        </span>
      </div>
    </Panel>
  );
}

/** Somebody else applied something since the draft was begun. */
function Stale() {
  const { dispatch } = useDraft();
  const running = useLiveState((s) => s.beat?.revision) ?? "";
  return (
    <div className="banner banner-uncertain" role="alert">
      <p>◇ The configuration has changed since this draft was begun: revision <Revision id={running} /> runs now. Its changes are in the history below.</p>
      <Button size="compact-sm" variant="default" disabled={running === ""} onClick={() => dispatch({ do: "rebase", revision: running })}>
        Check my draft against it
      </Button>
    </div>
  );
}

function DraftTable({ faults }: { faults: Schemas["Fault"][] }) {
  const { draft, dispatch } = useDraft();
  const rows = Object.keys(draft.tags).sort();
  return (
    <table className="list drafts">
      <thead>
        <tr>
          <th>Tag</th>
          <th>Setting</th>
          <th>From</th>
          <th>To</th>
          <th>
            <span className="sr">Discard</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.flatMap((p) => {
          const t = draft.tags[p];
          return t === undefined ? [] : [<DraftRows key={p} edits={t} faults={faults} onDiscard={() => dispatch({ do: "discard", device: t.device, tag: t.tag })} />];
        })}
      </tbody>
    </table>
  );
}

function DraftRows({ edits, faults, onDiscard }: { edits: TagEdits; faults: Schemas["Fault"][]; onDiscard: () => void }) {
  return Object.entries(edits.edits).map(([key, e], i) => {
    const wrong = faults.some((f) => f.device === edits.device && f.tag === edits.tag && keyOf(f) === key);
    return (
      <tr key={key}>
        <th scope="row" data-label="Tag">
          {edits.device}/{edits.tag}
        </th>
        <td data-label="Setting">{labelOf(key)}</td>
        <td data-label="From" className="dim">
          {e.from === "" ? "nothing" : e.from}
        </td>
        <td data-label="To">{wrong ? <span className="look look-bad">✕ {e.to}</span> : e.to === "" ? "nothing: what is inherited" : e.to}</td>
        <td className="num">
          {i === 0 && (
            <Button size="compact-xs" variant="subtle" onClick={onDiscard} aria-label={`Discard the changes of ${edits.device}/${edits.tag}`}>
              Discard
            </Button>
          )}
        </td>
      </tr>
    );
  });
}

function Effects({ effects }: { effects: Schemas["Effect"][] }) {
  if (effects.length === 0) {
    return <p className="dim">The draft changes nothing: every setting is as it was.</p>;
  }
  return (
    <>
      <h3>What applying does</h3>
      <ul className="lines" data-testid="effects">
        {effects.map((e, i) => (
          <li key={i} className={e.link === undefined ? "" : "strong"}>
            {e.text}
          </li>
        ))}
      </ul>
    </>
  );
}

/** Where a fault stands, as far as it is known: file:line:column path. */
function placeOf(f: Schemas["Fault"]): string {
  const spot = [f.file ?? "", f.line ?? 0, f.column ?? 0].filter((part) => part !== "" && part !== 0).join(":");
  return [spot, f.path ?? ""].filter((part) => part !== "").join(" ");
}

function Faults({ faults }: { faults: Schemas["Fault"][] }) {
  return (
    <div className="banner banner-bad" role="alert">
      <p>✕ {faults.length === 1 ? "One fault" : `${faults.length} faults`}: nothing can be applied.</p>
      <ul className="lines">
        {faults.map((f, i) => (
          <li key={i}>
            {f.device !== undefined && (
              <b>
                {f.tag === undefined || f.tag === "" ? f.device : `${f.device}/${f.tag}`}:{" "}
              </b>
            )}
            {f.text}
            {f.hint !== undefined && <> – {f.hint}</>}
            {placeOf(f) !== "" && (
              <span className="dim">
                {" "}
                ({placeOf(f)})
              </span>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

function History() {
  const { data, error } = useHistory();
  const running = useLiveState((s) => s.beat?.revision) ?? "";
  return (
    <Panel title="Applied revisions">
      {data === undefined ? (
        <Waiting error={error} />
      ) : data.revisions.length === 0 ? (
        <p className="dim">
          None yet: the configuration runs as its files were written
          {running !== "" && (
            <>
              , as revision <Revision id={running} />
            </>
          )}
          .
        </p>
      ) : (
        <table className="list">
          <thead>
            <tr>
              <th>Revision</th>
              <th>When</th>
              <th>Who</th>
              <th>Why</th>
              <th>What changed</th>
            </tr>
          </thead>
          <tbody>
            {data.revisions.map((r, i) => (
              <tr key={`${r.at} ${r.id} ${i}`}>
                <th scope="row" data-label="Revision">
                  <span>
                    <Revision id={r.id} />
                    {r.id === running && data.revisions.findIndex((x) => x.id === running) === i && <span className="dim"> runs</span>}
                  </span>
                </th>
                <td data-label="When">
                  <At at={r.at} />
                </td>
                <td data-label="Who">{r.author === "" ? <span className="dim">by hand</span> : r.author}</td>
                <td data-label="Why">{r.comment === "" ? <span className="dim">–</span> : r.comment}</td>
                <td data-label="What changed">
                  <ul className="lines">
                    {r.changes.map((c, i) => (
                      <li key={i}>{c}</li>
                    ))}
                  </ul>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
