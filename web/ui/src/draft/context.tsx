import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useIsMutating, useQuery } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useMemo, useReducer, type Dispatch, type ReactNode } from "react";
import { ApiError, client, unwrap, type Schemas } from "../api/client";
import { useLiveState } from "../live/context";
import { changes, count, empty, reduce, revive, type Action, type Draft } from "./draft";

type Fault = Schemas["Fault"];
type Value = { draft: Draft; count: number; dispatch: Dispatch<Action> };

const DraftContext = createContext<Value | null>(null);
const place = "fieldferry-draft";

/** Marks the one mutation that applies a draft. */
export const applyKey = ["apply"];

function kept(): Draft {
  try {
    return revive(sessionStorage.getItem(place));
  } catch {
    return empty; // storage is forbidden: the draft lives as long as the page
  }
}

function keep(draft: Draft): void {
  try {
    sessionStorage.setItem(place, JSON.stringify(draft));
  } catch {
    // As above.
  }
}

export function DraftProvider({ children }: { children: ReactNode }) {
  const [draft, dispatch] = useReducer(reduce, empty, kept);
  useEffect(() => keep(draft), [draft]);
  const value = useMemo(() => ({ draft, count: count(draft), dispatch }), [draft]);
  return <DraftContext value={value}>{children}</DraftContext>;
}

export function useDraft(): Value {
  const value = useContext(DraftContext);
  if (value === null) {
    throw new Error("useDraft outside DraftProvider");
  }
  return value;
}

export type Check = {
  /** What the gateway says about this very draft; undefined while it is asked. */
  report: Schemas["Report"] | undefined;
  /** The running revision is not the draft's base any more. */
  stale: boolean;
  error: Error | null;
  busy: boolean;
};

/** What the gateway says about the draft, a moment after the last key. */
export function useCheck(): Check {
  const { draft } = useDraft();
  const [settled] = useDebouncedValue(draft, 300);
  // Somebody else's change is noticed at once, not only when it is too late.
  const running = useLiveState((s) => s.beat?.revision);
  // One's own change is not somebody else's: nothing is asked while it is applied.
  const applying = useIsMutating({ mutationKey: applyKey }) > 0;
  const current = settled === draft;
  const q = useQuery({
    queryKey: ["check", settled, running],
    enabled: draft.base !== "" && current && !applying,
    placeholderData: keepPreviousData,
    retry: false,
    queryFn: async ({ signal }) =>
      unwrap(await client.POST("/api/draft/check", { params: { header: { "If-Match": `"${settled.base}"` } }, body: { changes: changes(settled) }, signal })),
  });
  if (draft.base === "") {
    return { report: undefined, stale: false, error: null, busy: false };
  }
  return {
    report: current && !q.isPlaceholderData ? q.data : undefined,
    stale: isStale(q.error),
    error: isStale(q.error) ? null : q.error,
    busy: !current || q.isFetching,
  };
}

/**
 * Why the settings of a tag cannot be changed in the page, as for devices that
 * are made by a pattern; empty when they can. It is asked for with a draft
 * that changes nothing.
 */
export function useFixed(device: string, tag: string, revision: string): string {
  const { data } = useQuery({
    queryKey: ["fixed", device, tag, revision],
    retry: false,
    staleTime: Infinity,
    queryFn: async ({ signal }) => {
      const report = unwrap(
        await client.POST("/api/draft/check", { params: { header: { "If-Match": `"${revision}"` } }, body: { changes: [{ device, tag, set: {} }] }, signal }),
      );
      return report.faults.map((f) => `${f.text}${f.hint === undefined ? "" : ` – ${f.hint}`}`).join("; ");
    },
  });
  return data ?? "";
}

export function isStale(error: unknown): boolean {
  return error instanceof ApiError && error.problem.code === "stale_revision";
}

/** The key of the tag map that a fault is about, as far as it tells. */
export function keyOf(f: Fault): string {
  return f.key ?? f.path?.split(".").at(-1) ?? "";
}

/** The faults of one tag by key; those without a key are under "". */
export function faultsOf(report: Schemas["Report"] | undefined, device: string, tag: string, keys: string[]): Map<string, Fault[]> {
  const by = new Map<string, Fault[]>();
  for (const f of report?.faults ?? []) {
    if (f.device !== device || f.tag !== tag) {
      continue;
    }
    const key = keys.includes(keyOf(f)) ? keyOf(f) : "";
    by.set(key, [...(by.get(key) ?? []), f]);
  }
  return by;
}
