import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { client, unwrap, type Schemas } from "../api/client";
import { useLiveState } from "../live/context";

export type Status = Schemas["Status"];
export type TagItem = Schemas["Item"];
export type TagList = Schemas["TagList"];

/** Links, devices, uplinks and the buffer, every two seconds while shown. */
export function useStatus() {
  return useQuery({
    queryKey: ["status"],
    refetchInterval: 2000,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/status", { signal })),
  });
}

/**
 * Asks for the status at once when a part gets better or worse, so that a page
 * does not contradict the header for long. For the one header.
 */
export function useStatusAtTurns(): void {
  const turn = useLiveState((s) => (s.beat === null ? "" : `${s.beat.health.field.level} ${s.beat.health.buffer.level} ${s.beat.health.uplink.level}`));
  const queries = useQueryClient();
  useEffect(() => {
    if (turn !== "") {
      void queries.invalidateQueries({ queryKey: ["status"] });
    }
  }, [turn, queries]);
}

/** All tags; fetched again when the tag map changes. */
export function useTags() {
  const generation = useLiveState((s) => s.generation);
  const queries = useQueryClient();
  const q = useQuery({
    queryKey: ["tags"],
    staleTime: Infinity,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/tags", { signal })),
  });
  const have = q.data?.generation;
  useEffect(() => {
    if (have !== undefined && generation !== 0 && generation !== have) {
      void queries.invalidateQueries({ queryKey: ["tags"] });
      void queries.invalidateQueries({ queryKey: ["tag"] });
    }
  }, [generation, have, queries]);
  return q;
}

export function useTag(device: string, tag: string, revision: string | undefined) {
  return useQuery({
    queryKey: ["tag", device, tag, revision],
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/tags/{device}/{tag}", { params: { path: { device, tag } }, signal })),
  });
}

export function useHistory() {
  const revision = useLiveState((s) => s.beat?.revision);
  return useQuery({
    queryKey: ["history", revision],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => unwrap(await client.GET("/api/history", { signal })),
  });
}
