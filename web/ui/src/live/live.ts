import type { Schemas } from "../api/client";

export type Row = Schemas["Row"];
export type Beat = Schemas["Beat"];

/**
 * What is known about the connection itself. A new object at every change, so
 * that React can compare it.
 */
export type LiveState = {
  connection: "opening" | "live" | "lost";
  /** Browser clock at the last event before the connection was lost: values are frozen since then. */
  frozen: number;
  /** Of the tag list that values and levels belong to; 0: none yet. */
  generation: number;
  /** Gateway clock minus browser clock, in milliseconds. */
  offset: number;
  beat: Beat | null;
};

/** The part of EventSource that is used; tests bring their own. */
export type Source = {
  readyState: number;
  onerror: ((e: Event) => void) | null;
  addEventListener(type: string, listener: (e: MessageEvent<string>) => void): void;
  close(): void;
};

export type Ports = {
  open: () => Source;
  /** Tells the gateway which tags are shown. */
  watch: (stream: string, generation: number, ids: number[]) => Promise<unknown>;
  now: () => number;
};

const closed = 2; // EventSource.CLOSED

/**
 * The one stream of live values. Rows are kept by position in the tag list of
 * one generation and thrown away with it, so that a value never shows beside
 * the wrong tag.
 */
export class Live {
  private state: LiveState = { connection: "opening", frozen: 0, generation: 0, offset: 0, beat: null };
  private rows = new Map<number, Row>();
  private levels = new Map<number, string>();
  private levelsVersion = 0;
  private rowListeners = new Map<number, Set<() => void>>();
  private listeners = new Set<() => void>();
  private wanted = new Map<object, { generation: number; ids: number[] }>();
  private stream = "";
  private beatMs = 5000;
  private heard = 0;
  private source: Source | null = null;
  private flushing: ReturnType<typeof setTimeout> | null = null;
  private watchdog: ReturnType<typeof setInterval> | null = null;
  private readonly ports: Ports;

  constructor(ports: Ports) {
    this.ports = ports;
  }

  start(): void {
    this.stop();
    this.reopen();
    this.watchdog = setInterval(() => this.look(), 1000);
  }

  stop(): void {
    this.source?.close();
    this.source = null;
    if (this.watchdog !== null) {
      clearInterval(this.watchdog);
    }
    if (this.flushing !== null) {
      clearTimeout(this.flushing);
    }
    this.watchdog = this.flushing = null;
  }

  // These are arrow functions because React calls them without `this`.
  getState = (): LiveState => this.state;
  getLevelsVersion = (): number => this.levelsVersion;
  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  row(id: number, generation: number): Row | undefined {
    return generation === this.state.generation ? this.rows.get(id) : undefined;
  }

  /** Quality of any tag, shown or not; undefined before the first look. */
  level(id: number, generation: number): string | undefined {
    if (generation !== this.state.generation || this.levelsVersion === 0) {
      return undefined;
    }
    return this.levels.get(id) ?? "good";
  }

  subscribeRow(id: number, listener: () => void): () => void {
    let set = this.rowListeners.get(id);
    if (set === undefined) {
      set = new Set();
      this.rowListeners.set(id, set);
    }
    set.add(listener);
    return () => {
      set.delete(listener);
      if (set.size === 0) {
        this.rowListeners.delete(id);
      }
    };
  }

  /** Says which tags somebody shows; an empty list when it shows none any more. */
  want(who: object, generation: number, ids: number[]): void {
    if (ids.length === 0) {
      this.wanted.delete(who);
    } else {
      this.wanted.set(who, { generation, ids });
    }
    this.flushing ??= setTimeout(() => void this.flush(), 50);
  }

  private reopen(): void {
    this.source?.close();
    this.stream = "";
    const source = this.ports.open();
    this.source = source;
    const on = <T>(name: string, take: (data: T) => void) =>
      source.addEventListener(name, (e) => {
        if (this.source === source) {
          this.heard = this.ports.now();
          take(JSON.parse(e.data) as T);
        }
      });
    on<Schemas["Hello"]>("hello", (d) => this.takeHello(d));
    on<Schemas["Values"]>("values", (d) => this.takeValues(d));
    on<Schemas["Levels"]>("levels", (d) => this.takeLevels(d));
    on<Beat>("beat", (d) => this.takeBeat(d));
    source.onerror = () => {
      if (this.source === source) {
        this.lose();
      }
    };
  }

  private takeHello(d: Schemas["Hello"]): void {
    this.stream = d.stream;
    this.beatMs = d.beat_ms;
    this.follow(d.generation, d.now);
    this.set({ connection: "live" });
    void this.flush();
  }

  private takeValues(d: Schemas["Values"]): void {
    this.follow(d.generation, d.now);
    for (const row of d.rows) {
      this.rows.set(row.id, row);
      this.rowListeners.get(row.id)?.forEach((tell) => tell());
    }
  }

  private takeLevels(d: Schemas["Levels"]): void {
    this.follow(d.generation, d.now);
    if (d.first) {
      this.levels.clear();
    }
    for (const l of d.levels) {
      if (l.quality === "good") {
        this.levels.delete(l.id);
      } else {
        this.levels.set(l.id, l.quality);
      }
    }
    this.levelsVersion++;
    this.tell();
  }

  private takeBeat(d: Beat): void {
    this.follow(d.generation, d.now);
    this.set({ beat: d });
  }

  /** Follows the gateway's clock and generation. */
  private follow(generation: number, now: number): void {
    const offset = now - this.ports.now();
    // Less is the network's jitter, and not worth drawing the page again.
    if (Math.abs(offset - this.state.offset) > 250) {
      this.set({ offset });
    }
    if (generation === this.state.generation) {
      return;
    }
    this.rows.clear();
    this.levels.clear();
    this.levelsVersion = 0;
    this.set({ generation });
    this.rowListeners.forEach((set) => set.forEach((tell) => tell()));
    void this.flush();
  }

  private lose(): void {
    if (this.state.connection === "live") {
      this.set({ connection: "lost", frozen: this.heard });
    }
  }

  /** Notices a stream that is silent or was refused, and opens a new one. */
  private look(): void {
    const silent = this.ports.now() - this.heard > this.beatMs * 2.5;
    if (this.state.connection === "live" && silent) {
      this.lose();
      this.reopen();
    } else if (this.source?.readyState === closed) {
      this.reopen();
    }
  }

  private async flush(): Promise<void> {
    if (this.flushing !== null) {
      clearTimeout(this.flushing);
      this.flushing = null;
    }
    if (this.stream === "") {
      return;
    }
    const generation = this.state.generation;
    const ids = new Set<number>();
    for (const w of this.wanted.values()) {
      if (w.generation === generation) {
        w.ids.forEach((id) => ids.add(id));
      }
    }
    // A refusal means that the stream or the tag list is old: the next hello
    // or the next generation asks again.
    await this.ports.watch(this.stream, generation, [...ids].slice(0, 5000)).catch(() => undefined);
  }

  private set(change: Partial<LiveState>): void {
    this.state = { ...this.state, ...change };
    this.tell();
  }

  private tell(): void {
    this.listeners.forEach((tell) => tell());
  }
}
