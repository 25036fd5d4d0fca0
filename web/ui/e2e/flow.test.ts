import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { cell, Harness, pageserver, row, shot, until } from "./harness";

const h = new Harness(pageserver);
beforeAll(() => h.start());
afterAll(() => h.stop());
beforeEach(() => h.say("go on"));

test("values move, and hold still when the plant does", async () => {
  const { page, wrong } = await h.page("panel");
  await page.goto(h.url + "/tags");
  await page.waitForSelector(`${row("capper/speed")} .value`);
  const seen = new Set<string>();
  await until("three different values", async () => seen.add(await cell(page, "capper/speed", "value")).size >= 3);
  h.say("hold");
  await until("an age above one second", async () => /^[2-9] s$/.test(await cell(page, "capper/speed", "age")));
  expect(wrong).toEqual([]);
});

test("a dead device, a stale and a bad tag are seen to be so", async () => {
  const { page, wrong } = await h.page("panel");
  await page.goto(h.url);
  await page.waitForSelector("text=1 of 12 devices does not answer: meter05");
  expect(await page.textContent(".chip-warn >> nth=0")).toContain("Field: check");
  await page.click(".lines >> text=meter05");
  await page.waitForSelector("text=Dead for 6 min");
  expect(await page.textContent("main")).toContain("412 answers missed in a row");
  await until("its tags are bad with the reason", async () => (await cell(page, "meter05/frequency", "quality")) === "✕ device dead");
  expect(await cell(page, "meter05/frequency", "value")).toBe("–");

  await page.goto(h.url + "/tags?q=device:filler");
  await until("stale with its age", async () => (await cell(page, "filler/temperature_04", "quality")) === "⏲ stale" && (await cell(page, "filler/temperature_04", "age")) === "4 min");
  expect(await cell(page, "filler/temperature_04", "value")).toBe("21.5");
  expect(await cell(page, "filler/temperature_03", "quality")).toBe("✕ bad address");
  expect(await cell(page, "filler/temperature_05", "quality")).toBe("◇ out of range");
  expect(wrong).toEqual([]);
});

test("the filter finds by name, by setting and by live quality", async () => {
  const { page, wrong } = await h.page("panel");
  await page.goto(h.url + "/tags");
  await page.fill("[aria-label=Filter]", "quality:bad -device:meter05");
  await until("one tag", async () => (await page.textContent("[data-testid=tag-count]")) === "1 of 243 tags");
  await page.waitForSelector(row("filler/temperature_03"));
  await page.fill("[aria-label=Filter]", "hr:120");
  await until("three setpoints", async () => (await page.textContent("[data-testid=tag-count]")) === "3 of 243 tags");
  expect(page.url()).toContain("q=hr");
  await page.fill("[aria-label=Filter]", "nothing like it");
  await page.waitForSelector("text=No tag matches the filter");
  expect(wrong).toEqual([]);
});

test("the sheet is walked with the keyboard and reads far rows", async () => {
  const { page, wrong } = await h.page("panel");
  await page.goto(h.url + "/tags");
  await page.waitForSelector(row("capper/batches"));
  await page.focus(row("capper/batches"));
  await page.keyboard.press("End");
  await until("the last row is focused", async () => (await page.evaluate(() => document.activeElement?.getAttribute("data-tag"))) === "pump/total");
  await until("and alive", async () => /\d/.test(await cell(page, "pump/total", "value")));
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.waitForSelector("[role=dialog] >> text=pump/temperature_14");
  await page.keyboard.press("Escape");
  await page.waitForSelector("[role=dialog]", { state: "detached" });
  expect(wrong).toEqual([]);
});

test("a tag is edited end to end", async () => {
  const { page, wrong } = await h.page("panel");
  await page.goto(h.url + "/tags?q=pump");
  await page.click(row("pump/speed"));
  await page.waitForSelector("form");

  // A fault is shown at its field, with what to do; nothing can be applied.
  await page.fill("input[name=scale]", "a tenth");
  await page.waitForSelector('text=scale "a tenth" is not valid – write a number such as 0.1, with a point');
  await shot(page, "edit-fault-panel-light");
  await page.click("text=Review >> nth=-1");
  await page.waitForSelector("text=One fault: nothing can be applied");
  expect(await page.isDisabled("button:has-text('Apply')")).toBe(true);
  await page.goBack();

  await page.fill("input[name=scale]", "0.01");
  await page.fill("input[name=interval]", "2s");
  await page.waitForSelector("[data-testid=check-state] >> text=Checked, no fault");
  expect(await page.textContent("[data-testid=draft-pill]")).toBe("2 changes · Review");
  await shot(page, "edit-panel-light");

  // The draft outlives a reload of the page and marks the row.
  await page.reload();
  await page.waitForSelector(".sheet-row.drafted");
  await page.click("[role=dialog] [aria-label=Close]");
  await shot(page, "tags-drafted-panel-light");
  await page.click("[data-testid=draft-pill]");
  await page.waitForSelector("[data-testid=effects] >> text=scale of pump/speed: 0.1 → 0.01");
  const effects = (await page.textContent("[data-testid=effects]")) ?? "";
  expect(effects).toContain("interval of pump/speed: 500ms → 2s");
  expect(effects).toContain("link plc restarts: its devices pause for about 1 s, the other links run on");
  expect(effects).not.toContain("line1");
  await page.fill("text=Why", "slower and finer");
  await shot(page, "review-panel-light");
  await page.click("button:has-text('Apply')");
  await page.waitForSelector("text=Applied: revision r0003 runs");
  await page.waitForSelector("td:has-text('slower and finer')");
  await page.waitForSelector("[data-testid=draft-pill]", { state: "detached" });

  await page.click("nav >> text=Tags");
  await page.fill("[aria-label=Filter]", "pump/speed");
  await until("the sheet shows the new interval", async () => (await cell(page, "pump/speed", "interval")) === "2 s");
  await until("and a value with the new decimals", async () => /^\d+\.\d\d$/.test(await cell(page, "pump/speed", "value")));
  expect(wrong).toEqual([]);
});

test("a draft on an old revision is refused, and goes on against the new one", async () => {
  const { page, wrong } = await h.page("panel");
  await page.goto(h.url + "/tags?tag=pump/total");
  await page.fill("input[name=unit]", "l");
  await page.waitForSelector("[data-testid=check-state] >> text=Checked, no fault");
  await page.click("text=Review >> nth=-1");
  await page.waitForSelector("[data-testid=effects]");
  h.say("edit filler speed unit Hz");
  await page.waitForSelector("td:has-text('unit of filler/speed: rpm → Hz')");
  await page.waitForSelector("text=The configuration has changed since this draft was begun");
  expect(await page.isDisabled("button:has-text('Apply')")).toBe(true);
  await shot(page, "stale-panel-light");
  await page.click("text=Check my draft against it");
  await page.waitForSelector("[data-testid=effects] >> text=unit of pump/total: m³ → l");
  await page.click("button:has-text('Apply')");
  await page.waitForSelector("text=Applied: revision");
  // The browser itself writes down the answer that was refused.
  expect(wrong.filter((w) => !w.includes("412"))).toEqual([]);
});

test("a device is asked for a value on demand", async () => {
  const { page, wrong } = await h.page("phone");
  await page.goto(h.url + "/tags?tag=pump/temperature_01");
  await page.click("button:has-text('Read now')");
  await page.waitForSelector("text=/The device answered: +[0-9.]+ °C/");
  expect(wrong).toEqual([]);
});

test("a lost connection says since when, and heals", async () => {
  const { page } = await h.page("panel");
  await page.goto(h.url + "/tags");
  await page.waitForSelector(`${row("capper/speed")} .value`);
  await h.drop();
  await page.waitForSelector("text=/Connection lost: values are frozen since \\d\\d:\\d\\d:\\d\\d/");
  await shot(page, "lost-panel-light");
  const frozen = await cell(page, "capper/speed", "value");
  expect(frozen).toMatch(/\d/);
  await h.serve();
  await page.waitForSelector("text=/Connection lost/", { state: "detached" });
  await until("values move again", async () => (await cell(page, "capper/speed", "value")) !== frozen);
});
