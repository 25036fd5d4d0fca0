import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Live, type Source } from "./live";

class FakeSource implements Source {
  readyState = 1;
  onerror: ((e: Event) => void) | null = null;
  private listeners = new Map<string, (e: MessageEvent<string>) => void>();
  addEventListener(type: string, listener: (e: MessageEvent<string>) => void): void {
    this.listeners.set(type, listener);
  }
  close(): void {
    this.readyState = 2;
  }
  send(type: string, data: unknown): void {
    this.listeners.get(type)?.({ data: JSON.stringify(data) } as MessageEvent<string>);
  }
  fail(readyState: number): void {
    this.readyState = readyState;
    this.onerror?.({} as Event);
  }
}

const ahead = 60_000; // the gateway's clock
let sources: FakeSource[];
let asked: { stream: string; generation: number; ids: number[] }[];
let live: Live;

function hello(s: FakeSource | undefined, generation = 1, stream = "s1"): void {
  s?.send("hello", { stream, generation, now: Date.now() + ahead, beat_ms: 5000 });
}

function values(s: FakeSource | undefined, generation: number, text: string): void {
  s?.send("values", { generation, now: Date.now() + ahead, rows: [{ id: 3, text, kind: "text", quality: "good" }] });
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime(1_000_000);
  sources = [];
  asked = [];
  live = new Live({
    open: () => {
      const s = new FakeSource();
      sources.push(s);
      return s;
    },
    watch: (stream, generation, ids) => {
      asked.push({ stream, generation, ids });
      return Promise.resolve();
    },
    now: () => Date.now(),
  });
  live.start();
});

afterEach(() => {
  live.stop();
  vi.useRealTimers();
});

test("takes values and the gateway's clock", () => {
  hello(sources[0]);
  const told = vi.fn();
  live.subscribeRow(3, told);
  values(sources[0], 1, "22.5");
  expect(live.row(3, 1)?.text).toBe("22.5");
  expect(told).toHaveBeenCalledTimes(1);
  expect(live.getState()).toMatchObject({ connection: "live", offset: ahead });
});

test("a new generation throws values away, and shows none beside another list", () => {
  hello(sources[0]);
  values(sources[0], 1, "22.5");
  values(sources[0], 2, "7");
  expect(live.row(3, 1)).toBeUndefined();
  expect(live.row(3, 2)?.text).toBe("7");
});

test("levels are good unless named, and unknown before the first look", () => {
  hello(sources[0]);
  expect(live.level(3, 1)).toBeUndefined();
  sources[0]?.send("levels", { generation: 1, now: 0, first: true, levels: [{ id: 3, quality: "bad" }] });
  expect([live.level(3, 1), live.level(4, 1), live.level(3, 2)]).toEqual(["bad", "good", undefined]);
  sources[0]?.send("levels", { generation: 1, now: 0, first: false, levels: [{ id: 3, quality: "good" }, { id: 4, quality: "uncertain" }] });
  expect([live.level(3, 1), live.level(4, 1)]).toEqual(["good", "uncertain"]);
});

test("asks for what all lists show, once for many calls", async () => {
  hello(sources[0]);
  asked = [];
  live.want({}, 1, [1, 2]);
  const other = {};
  live.want(other, 1, [2, 3]);
  live.want({}, 9, [99]); // of an older list
  await vi.advanceTimersByTimeAsync(60);
  expect(asked).toEqual([{ stream: "s1", generation: 1, ids: [1, 2, 3] }]);
  live.want(other, 1, []);
  await vi.advanceTimersByTimeAsync(60);
  expect(asked.at(-1)?.ids).toEqual([1, 2]);
});

test("an error freezes the values at the last event", () => {
  hello(sources[0]);
  values(sources[0], 1, "22.5");
  vi.setSystemTime(1_004_000);
  sources[0]?.fail(0); // the browser tries again by itself
  expect(live.getState()).toMatchObject({ connection: "lost", frozen: 1_000_000 });
  expect(live.row(3, 1)?.text).toBe("22.5");
  hello(sources[0], 1, "s2");
  expect(live.getState().connection).toBe("live");
  expect(asked.at(-1)?.stream).toBe("s2");
});

test("silence is noticed and a new stream opened", async () => {
  hello(sources[0]);
  await vi.advanceTimersByTimeAsync(12_000);
  expect(live.getState().connection).toBe("live");
  await vi.advanceTimersByTimeAsync(2_000);
  expect(live.getState()).toMatchObject({ connection: "lost", frozen: 1_000_000 });
  expect(sources).toHaveLength(2);
  values(sources[0], 1, "from the old stream");
  expect(live.row(3, 1)).toBeUndefined();
});

test("a refused stream is opened again", async () => {
  sources[0]?.fail(2);
  await vi.advanceTimersByTimeAsync(1_100);
  expect(sources).toHaveLength(2);
  expect(live.getState().connection).toBe("opening");
});
