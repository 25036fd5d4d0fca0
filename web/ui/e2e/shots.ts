import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { components } from "../src/api/schema";
import { demo, Harness, until, type Scheme, type Size } from "./harness";

// `npm run shots` takes the picture of the README, docs/page.png, and one of
// every page of the demo in both sizes and colours, for people to look at:
// into FIELDFERRY_SHOTS, or build/shots.

type Status = components["schemas"]["Status"];

const module = fileURLToPath(new URL("../../..", import.meta.url));
const folder = process.env["FIELDFERRY_SHOTS"] ?? join(module, "build/shots");

const h = new Harness(demo);
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  await h.start();
});
afterAll(() => h.stop());

async function status(): Promise<Status> {
  return (await (await fetch(h.url + "/api/status")).json()) as Status;
}

/** Until the labeler has been silent for a while, and is for a while longer. */
function silent(): Promise<void> {
  return until(
    "the labeler is dead",
    async () => {
      const s = await status();
      const d = s.devices.find((x) => x.name === "labeler");
      return d?.state === "dead" && s.now - d.since > 3000 && s.now - d.since < 8000;
    },
    150,
  );
}

test("the picture of the README", async () => {
  const { page } = await h.page("panel");
  await page.goto(h.url + "/tags?tag=press1/force");
  await page.fill("input[name=deadband]", "5");
  await page.waitForSelector("[data-testid=check-state] >> text=Checked, no fault");
  await page.click("[role=dialog] [aria-label=Close]");
  await silent();
  await page.waitForSelector("text=✕ timeout");
  const path = join(module, "docs/page.png");
  await page.screenshot({ path });
  expect(statSync(path).size).toBeLessThan(300_000);
});

const pages = [
  { name: "overview", path: "/", ready: "[data-testid=health]" },
  { name: "devices", path: "/devices", ready: "text=labeler" },
  { name: "device", path: "/devices/labeler", ready: "[data-tag='labeler/speed']" },
  { name: "tags", path: "/tags", ready: "[data-tag='filler/speed'] .value" },
  { name: "tag-modbus", path: "/tags?tag=zone1/temperature", ready: "form" },
  { name: "tag-pattern", path: "/tags?tag=meter01/power", ready: "[data-testid=fixed]" },
  { name: "tag-opcua", path: "/tags?tag=press1/force", ready: "form" },
  { name: "tag-calc", path: "/tags?tag=hall/power", ready: "input[name=expr]" },
  { name: "uplinks", path: "/uplinks", ready: "text=Samples waiting" },
  { name: "changes", path: "/changes", ready: "text=Applied revisions" },
];
const looks: [Size, Scheme][] = [
  ["panel", "light"],
  ["panel", "dark"],
  ["phone", "light"],
  ["phone", "dark"],
];

for (const [size, scheme] of looks) {
  test(`every page: ${size}, ${scheme}`, async () => {
    const { page } = await h.page(size, scheme);
    for (const p of pages) {
      await page.goto(h.url + p.path);
      await page.waitForSelector(p.ready);
      await page.waitForSelector(".chip");
      await page.screenshot({ path: join(folder, `${p.name}-${size}-${scheme}.png`) });
    }
  });
}
