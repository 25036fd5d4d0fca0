import { AxeBuilder } from "@axe-core/playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Harness, pageserver, shot, type Scheme, type Size } from "./harness";

const h = new Harness(pageserver);
beforeAll(() => h.start());
afterAll(() => h.stop());

const pages = [
  { name: "overview", path: "/", ready: "[data-testid=health]" },
  { name: "devices", path: "/devices", ready: "text=meter05" },
  { name: "device", path: "/devices/meter05", ready: "text=device dead" },
  // Its first rows have every quality that there is.
  { name: "tags", path: "/tags?q=device:filler", ready: "[data-column=value] .value" },
  { name: "tag", path: "/tags?q=pump/speed&tag=pump/speed", ready: "form" },
  { name: "uplinks", path: "/uplinks", ready: "text=cloud" },
  { name: "changes", path: "/changes", ready: "text=r0002" },
];
const sizes: Size[] = ["panel", "phone"];
const schemes: Scheme[] = ["light", "dark"];

for (const size of sizes) {
  for (const scheme of schemes) {
    test(`every page is readable: ${size}, ${scheme}`, async () => {
      for (const p of pages) {
        const { page, wrong } = await h.page(size, scheme);
        await page.goto(h.url + p.path);
        await page.waitForSelector(p.ready);
        await page.waitForSelector(".chip"); // the first beat has arrived
        await page.evaluate(() => Promise.all(document.getAnimations().map((a) => a.finished.catch(() => undefined))));
        await shot(page, `${p.name}-${size}-${scheme}`);
        // A row is like another; looking at forty of them takes ten times as long.
        const found = await new AxeBuilder({ page }).exclude(".sheet-body > :nth-child(n+12)").exclude(".cards-body > :nth-child(n+12)").analyze();
        const faults = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ") + " " + (n.failureSummary ?? "")).join(" | ")}`);
        expect.soft(faults, `${p.name}: accessibility`).toEqual([]);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect.soft(wide, `${p.name}: pixels beyond the right edge`).toBeLessThanOrEqual(0);
        expect.soft(wrong, `${p.name}: console`).toEqual([]);
        await page.context().close();
      }
    });
  }
}
