import { expect, test } from "vitest";
import { endpointText, stateWords } from "./states";

test.each([
  ["link", "up", "", "connected"],
  ["link", "down", "✕ ", "not connected"],
  ["calc", "up", "", "runs"],
  ["device", "dead", "✕ ", "dead"],
  ["device", "down", "✕ ", "link down"],
  ["device", "maintenance", "◇ ", "maintenance"],
  ["uplink", "starting", "… ", "connecting"],
  ["buffer", "up", "", "writes"],
  ["buffer", "something new", "", "something new"],
] as const)("%s %s", (part, state, mark, word) => expect(stateWords(part, state)).toMatchObject({ mark, word }));

test("where a link leads to", () => {
  expect(endpointText({ driver: "modbus-tcp", endpoint: "tcp://a:502" })).toBe("tcp://a:502");
  expect(endpointText({ driver: "calc", endpoint: "" })).toBe("computed in the gateway");
});
