import { defineConfig } from "vitest/config";
import tests from "./vitest.config";

// Pictures instead of tests; see shots.ts.
export default defineConfig({ ...tests, test: { ...tests.test, include: ["shots.ts"] } });
