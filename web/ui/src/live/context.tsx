import { createContext, useCallback, useContext, useEffect, useRef, useState, useSyncExternalStore, type ReactNode } from "react";
import { client } from "../api/client";
import { Live, type LiveState, type Row } from "./live";

const LiveContext = createContext<Live | null>(null);

function connect(): Live {
  return new Live({
    open: () => new EventSource("/api/stream"),
    watch: (stream, generation, tags) => client.POST("/api/stream/{stream}/watch", { params: { path: { stream } }, body: { generation, tags } }),
    now: () => Date.now(),
  });
}

export function LiveProvider({ children }: { children: ReactNode }) {
  const [live] = useState(connect);
  useEffect(() => {
    live.start();
    return () => live.stop();
  }, [live]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === null) {
    throw new Error("useLive outside LiveProvider");
  }
  return live;
}

/** A part of the connection's state; pick must return what stays the same object while unchanged. */
export function useLiveState<T>(pick: (s: LiveState) => T): T {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, () => pick(live.getState()));
}

export function useRow(id: number, generation: number): Row | undefined {
  const live = useLive();
  const subscribe = useCallback((listener: () => void) => live.subscribeRow(id, listener), [live, id]);
  return useSyncExternalStore(subscribe, () => live.row(id, generation));
}

/** Grows when the quality of any tag changes. */
export function useLevels(): number {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, live.getLevelsVersion);
}

/** Keeps the gateway informed about which tags a component shows. */
export function useWatch(generation: number, ids: number[]): void {
  const live = useLive();
  const who = useRef({});
  const key = ids.join();
  useEffect(() => {
    live.want(who.current, generation, key === "" ? [] : key.split(",").map(Number));
  }, [live, generation, key]);
  useEffect(() => {
    const me = who.current;
    return () => live.want(me, 0, []);
  }, [live]);
}

const ticking = new Set<() => void>();
let second: ReturnType<typeof setInterval> | null = null;
let tick = Date.now();

function subscribeTick(listener: () => void): () => void {
  ticking.add(listener);
  second ??= setInterval(() => {
    tick = Date.now();
    ticking.forEach((tell) => tell());
  }, 1000);
  return () => {
    ticking.delete(listener);
    if (ticking.size === 0 && second !== null) {
      clearInterval(second);
      second = null;
    }
  };
}

/** The gateway's clock, once a second. */
export function useNow(): number {
  const offset = useLiveState((s) => s.offset);
  return useSyncExternalStore(subscribeTick, () => tick) + offset;
}
