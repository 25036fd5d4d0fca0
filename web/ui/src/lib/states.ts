// The states of the parts of a gateway in words. One place decides, for every
// page.

export type Part = "link" | "calc" | "device" | "uplink" | "buffer";

export type StateWords = { mark: string; word: string; look: "plain" | "quiet" | "uncertain" | "bad" };

/** What a state means for one part; the other words are the same for all. */
const own: Record<Part, Record<string, string>> = {
  link: { up: "connected", starting: "connecting", down: "not connected" },
  // Computed tags have no connection that could be lost.
  calc: { up: "runs", starting: "starting", down: "does not run" },
  device: { up: "answers", starting: "not asked yet", down: "link down" },
  uplink: { up: "connected", starting: "connecting", down: "not connected" },
  buffer: { up: "writes", starting: "opening", down: "cannot write" },
};

const looks: Record<string, Omit<StateWords, "word">> = {
  up: { mark: "", look: "plain" },
  starting: { mark: "… ", look: "quiet" },
  down: { mark: "✕ ", look: "bad" },
  dead: { mark: "✕ ", look: "bad" },
  maintenance: { mark: "◇ ", look: "uncertain" },
  disabled: { mark: "– ", look: "quiet" },
};

export function stateWords(part: Part, state: string): StateWords {
  return { ...(looks[state] ?? { mark: "", look: "plain" }), word: own[part][state] ?? state };
}

/** Whether a link is the one behind computed tags. */
export function isCalc(driver: string): boolean {
  return driver === "calc";
}

/** Where a link leads to: its endpoint, or words for one that leads nowhere. */
export function endpointText(link: { driver: string; endpoint: string }): string {
  return isCalc(link.driver) ? "computed in the gateway" : link.endpoint;
}
