import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { components } from "../src/api/schema";
import { cell, demo, Harness, row, shot, until } from "./harness";

// The page of the real gateway over the simulated plant: a line whose labeler
// falls silent for 20 of every 90 s, meters, a serial line, an OPC UA press,
// computed tags, and a broker that is killed for 15 s after every 20 s. The
// tests follow each other on one gateway.

type Status = components["schemas"]["Status"];

const h = new Harness(demo);
beforeAll(() => h.start());
afterAll(() => h.stop());

async function status(): Promise<Status> {
  return (await (await fetch(h.url + "/api/status")).json()) as Status;
}

async function link(name: string): Promise<Status["links"][number]> {
  return found((await status()).links, name);
}

function found<T extends { name: string }>(list: T[], name: string): T {
  const one = list.find((x) => x.name === name);
  if (one === undefined) {
    throw new Error(`there is no ${name}`);
  }
  return one;
}

/** The file that the demo says one may edit. */
function tagMap(): string {
  const file = h.printed.map((l) => /^ *tag map +(\S+)$/.exec(l)?.[1]).find((f) => f !== undefined);
  if (file === undefined) {
    throw new Error("the demo has not told where its tag map is");
  }
  return file;
}

const field = (key: string) => `.mantine-InputWrapper-root:has(input[name=${key}])`;

test("values of every driver move", async () => {
  const { page, wrong } = await h.page("panel");
  await page.goto(h.url + "/tags");
  await page.waitForSelector("text=176 tags");
  for (const path of ["filler/speed", "meter01/power", "zone1/temperature", "press1/force", "hall/power"]) {
    await page.fill("[aria-label=Filter]", path);
    const seen = new Set<string>();
    await until(`two values of ${path}`, async () => {
      const text = await cell(page, path, "value");
      if (/^-?\d/.test(text)) {
        seen.add(text);
      }
      return seen.size >= 2;
    });
    expect(await cell(page, path, "quality")).toBe("");
    expect(await cell(page, path, "age")).toMatch(/^(< 1|\d+) s$/);
  }
  expect(wrong).toEqual([]);
});

test("a fault is shown at its field, and nothing can be applied", async () => {
  const { page, wrong } = await h.page("panel");
  await page.goto(h.url + "/tags?tag=press1/force");
  await page.fill("input[name=scale]", "a tenth");
  await page.waitForSelector(`${field("scale")} >> text="a tenth" is not a number`);
  expect(await page.getAttribute("input[name=scale]", "aria-invalid")).toBe("true");
  expect(await page.textContent("[data-testid=check-state]")).toContain("Has faults");
  await page.click("text=Review >> nth=-1");
  await page.waitForSelector("text=/One fault: nothing can be applied/");
  expect(await page.textContent("[role=alert]")).toContain("tagmap.yaml:");
  expect(await page.isDisabled("button:has-text('Apply')")).toBe(true);
  await page.click("text=Discard all");

  // What a pattern makes is shown and not offered.
  await page.goto(h.url + "/tags?tag=meter01/power");
  await page.waitForSelector("[data-testid=fixed] >> text=/meter01.*each/");
  expect(await page.isDisabled("input[name=scale]")).toBe(true);
  expect(wrong).toEqual([]);
});

test("a tag is edited end to end, and the other links run on", async () => {
  const { page, wrong } = await h.page("panel");
  const file = readFileSync(tagMap(), "utf8");
  const before = await status();
  const path = "zone1/temperature";
  await page.goto(`${h.url}/tags?q=${path}&tag=${path}`);
  await page.waitForSelector("input[name=scale]");
  expect(await page.inputValue("input[name=scale]")).toBe("0.1");
  const value = async () => Number(await cell(page, path, "value"));
  await until("a temperature", async () => (await value()) > 55 && (await value()) < 75);

  await page.fill("input[name=scale]", "0.01");
  await page.waitForSelector("[data-testid=check-state] >> text=Checked, no fault");
  await page.click("text=Review >> nth=-1");
  await page.waitForSelector("[data-testid=effects] >> text=scale of zone1/temperature: 0.1 → 0.01");
  expect(await page.textContent("[data-testid=effects]")).toContain("link pasteurizer restarts: its 2 devices pause for a moment, all other links run on");
  await page.fill("text=Why", "hundredths");
  await shot(page, "demo-review-panel-light");
  await page.click("button:has-text('Apply')");
  await page.waitForSelector("text=/Applied: revision [0-9a-f]{8} runs/");
  await page.waitForSelector("[data-testid=draft-pill]", { state: "detached" });

  const entry = page.locator("tr", { hasText: "hundredths" });
  await entry.waitFor();
  const revision = (await status()).revision;
  expect(revision).not.toBe(before.revision);
  for (const part of [`${revision.slice(0, 8)} runs`, "page at 127.0.0.1", "scale of zone1/temperature: 0.1 → 0.01"]) {
    await until(`the history tells ${part}`, async () => ((await entry.textContent()) ?? "").includes(part));
  }
  await shot(page, "demo-changes-panel-light");

  // One line of the file is another, and by one figure.
  expect(readFileSync(tagMap(), "utf8")).toBe(file.replace("{name: temperature, address: \"40001\", type: int16, scale: 0.1,", "{name: temperature, address: \"40001\", type: int16, scale: 0.01,"));

  await page.goto(`${h.url}/tags?q=${path}`);
  await until("a tenth of the temperature, with hundredths", async () => /^[67]\.\d\d$/.test(await cell(page, path, "value")));
  expect(await cell(page, path, "scale")).toBe("0.01");

  expect((await link("pasteurizer")).since).toBeGreaterThan(found(before.links, "pasteurizer").since);
  await undisturbed(before, ["bottling", "meters", "press", "hall"]);
  expect(wrong).toEqual([]);
});

/** Compares links with what they were: no connection was made, no read was skipped, and all that were due were done. */
async function undisturbed(before: Status, names: string[]): Promise<void> {
  const now = await status();
  for (const name of names) {
    const was = found(before.links, name);
    const is = found(now.links, name);
    expect({ connects: is.connects, overruns: is.overruns, since: is.since, state: is.state }, name).toEqual({
      connects: was.connects,
      overruns: was.overruns,
      since: was.since,
      state: "up",
    });
    if (is.driver === "calc") {
      continue; // wakes when a source does, not by a schedule
    }
    // Each device has a group of tags at the link's shortest interval; the
    // labeler may be silent.
    const devices = now.devices.filter((d) => d.link === name && d.name !== "labeler");
    const due = Math.floor((now.now - before.now) / 1000 / is.requested_seconds) - 1;
    expect(due, `rounds of ${name} that were due`).toBeGreaterThan(0);
    expect(is.cycles - was.cycles, `reads on ${name}`).toBeGreaterThanOrEqual(due * devices.length);
  }
}

test("a draft that a reload has made stale is told, and goes on against the new revision", async () => {
  const { page, wrong } = await h.page("panel");
  await page.goto(h.url + "/tags?tag=press1/force");
  await page.fill("input[name=deadband]", "5");
  await page.waitForSelector("[data-testid=check-state] >> text=Checked, no fault");
  await page.click("text=Review >> nth=-1");
  await page.waitForSelector("[data-testid=effects] >> text=deadband of press1/force: 1 → 5");

  const file = tagMap();
  writeFileSync(file, readFileSync(file, "utf8").replace("{name: strokes,", "{name: strokes, unit: strokes,"));
  const reload = await fetch(h.url + "/api/reload", { method: "POST" });
  expect(reload.status).toBe(200);

  await page.waitForSelector("text=The configuration has changed since this draft was begun");
  expect(await page.isDisabled("button:has-text('Apply')")).toBe(true);
  await page.waitForSelector("td:has-text('unit of press1/strokes: not set → strokes')");
  await shot(page, "demo-stale-panel-light");
  await page.click("text=Check my draft against it");
  await page.waitForSelector("[data-testid=effects] >> text=deadband of press1/force: 1 → 5");
  expect(await page.isDisabled("button:has-text('Apply')")).toBe(false);
  await page.click("text=Discard all");
  await page.waitForSelector("[data-testid=draft-pill]", { state: "detached" });
  // The browser itself writes down the answer that was refused.
  expect(wrong.filter((w) => !w.includes("412"))).toEqual([]);
});

// These two wait for what the plant does by itself, and so together.
test.concurrent("while the broker is away the backlog is seen to grow, and then to drain", async () => {
  const { page, wrong } = await h.page("panel");
  await page.goto(h.url + "/uplinks");
  const figure = async (name: string) => (await page.textContent(`.figure:has(dt:text-is("${name}")) dd`)) ?? "";
  const samples = async () => Number((await figure("Samples waiting")).replaceAll("\u202f", ""));
  const down = () => page.isVisible("text=✕ not connected");
  await until("the uplink is not connected", down, 90);
  const first = await samples();
  await until("hundreds of samples more", async () => (await samples()) > first + 300 || !(await down()));
  expect(await down()).toBe(true);
  expect(await figure("Oldest waiting")).toMatch(/\d+ s$/);
  const health = async () => (await page.textContent(".chip:has-text('Uplink')")) ?? "";
  expect(await health()).toMatch(/not connected, [\d\u202f]+ samples waiting, the oldest for \d+ s/);
  await shot(page, "demo-backlog-panel-light");
  await until("the backlog is gone", async () => !(await down()) && (await samples()) < 100, 120);
  await until("the header says so", async () => (await health()).includes("the uplink is connected"));
  expect(wrong).toEqual([]);
}, 300_000);

test.concurrent("a dead device is seen to be dead, for how long, and to come back", async () => {
  const open = async (path: string) => {
    const { page, wrong } = await h.page("panel");
    await page.goto(h.url + path);
    return { page, wrong, text: async (at: string) => ((await page.isVisible(at)) ? ((await page.textContent(at, { timeout: 1000 }).catch(() => null)) ?? "") : "") };
  };
  const overview = await open("/");
  const devices = await open("/devices");
  const tags = await open("/tags?q=device:labeler");
  const bad = await open("/tags?q=quality:bad");
  const line = (column: string) => devices.text(`tr:has(a:text-is('labeler')) [data-label='${column}']`);
  const reads = (column: string) => tags.text(`${row("labeler/speed")} [data-column=${column}]`);
  let longest = 0;
  // It may be silent at this moment, or speak for another 70 s. Each of these
  // is to be seen at some time while it is silent.
  const facts: Record<string, () => Promise<boolean>> = {
    "the sentence names it": async () => /of 11 devices do(es)? not answer: .*labeler.*; \d+ tags are bad/.test(await overview.text("[data-testid=health]")),
    "the overview tells since when": async () => /labeler ✕ dead for (< 1|\d+) s, \d+ answers? missed/.test(await overview.text("li:has-text('labeler')")),
    "the header says that somebody should look": async () => /Field: check/.test(await overview.text(".chip:has-text('Field')")),
    "the devices page says dead, and why": async () => /^✕ dead.*no answer within 300ms$/.test(await line("State")),
    "it tells the five bad tags": async () => (await line("Bad")) === "✕ 5",
    "its dead time grows": async () => {
      const now = Number(/^(\d+) s$/.exec(await line("State for"))?.[1] ?? 0);
      const grown = longest > 0 && now > longest && /dead/.test(await line("State"));
      longest = /dead/.test(await line("State")) ? now : 0;
      return grown;
    },
    "its tags are bad, with the reason": async () => (await reads("quality")) === "✕ timeout" && (await reads("value")) === "–" && /^(< 1|\d+) s$/.test(await reads("age")),
    "the filter finds them": async () => Number(/^(\d+) of 176 tags$/.exec(await bad.text("[data-testid=tag-count]"))?.[1] ?? 0) >= 5,
  };
  const unseen = new Set(Object.keys(facts));
  await until(
    "everything that tells of a dead device",
    async () => {
      for (const name of unseen) {
        if (await facts[name]?.()) {
          unseen.delete(name);
        }
      }
      return unseen.size === 0;
    },
    240,
  ).catch((e: unknown) => {
    throw new Error(`${String(e)}: ${[...unseen].join("; ")}`);
  });
  await shot(overview.page, "demo-dead-overview-panel-light");

  await until("it answers again", async () => (await line("State")) === "answers");
  await until("its values are good again", async () => /^\d/.test(await reads("value")) && (await reads("quality")) === "");
  await until("and the gateway says so", async () => /All 11 devices answer/.test(await overview.text("[data-testid=health]")));
  expect([overview, devices, tags, bad].flatMap((t) => t.wrong)).toEqual([]);
}, 400_000);
