import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Browser tests: Debian's Chromium against the real server, over the made-up
// plant and over the demo's. Run `npm run build` first; the programs are built
// from source here. Two files run at a time: the demo's mostly waits for its
// plant.
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  test: { include: ["*.test.ts"], testTimeout: 240_000, hookTimeout: 240_000, maxWorkers: 2, globalSetup: "./build.ts" },
});
