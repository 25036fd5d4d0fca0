import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** The server over the made-up plant. */
    pageserver: string;
    /** The gateway with the simulated plant inside. */
    demo: string;
  }
}

/** Builds both servers with the page embedded, once for all tests. */
export default function setup(project: TestProject): () => void {
  const module = fileURLToPath(new URL("../../..", import.meta.url));
  if (!existsSync(join(module, "web/dist/index.html"))) {
    throw new Error("the page is not built: run npm run build first");
  }
  const dir = mkdtempSync(join(tmpdir(), "fieldferry-e2e-"));
  const build = (name: "pageserver" | "demo", tags: string, from: string) => {
    const to = join(dir, name);
    execFileSync("go", ["build", "-tags", tags, "-o", to, from], { cwd: module, stdio: "inherit" });
    project.provide(name, to);
  };
  build("pageserver", "ui", "./web/webtest/pageserver");
  build("demo", "ui demo", "./cmd/gateway");
  return () => rmSync(dir, { recursive: true });
}
