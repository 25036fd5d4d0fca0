import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Browser tests: Debian's Chromium against the real server over the made-up
// plant. Run `npm run build` first; the server is built from source here.
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  test: { include: ["*.test.ts"], testTimeout: 60_000, hookTimeout: 120_000, fileParallelism: false, globalSetup: "./build.ts" },
});
