import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    server: string;
  }
}

/** Builds the server with the page embedded, once for all tests. */
export default function setup(project: TestProject): () => void {
  const module = fileURLToPath(new URL("../../..", import.meta.url));
  if (!existsSync(join(module, "web/dist/index.html"))) {
    throw new Error("the page is not built: run npm run build first");
  }
  const dir = mkdtempSync(join(tmpdir(), "fieldferry-e2e-"));
  const server = join(dir, "pageserver");
  execFileSync("go", ["build", "-tags", "ui", "-o", server, "./web/webtest/pageserver"], { cwd: module, stdio: "inherit" });
  project.provide("server", server);
  return () => rmSync(dir, { recursive: true });
}
