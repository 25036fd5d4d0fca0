// Fails when src/api/schema.d.ts is not what api/openapi.json says.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ui = fileURLToPath(new URL("..", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "fieldferry-api-"));
try {
  const fresh = join(dir, "schema.d.ts");
  const tool = join(ui, "node_modules/openapi-typescript/bin/cli.js");
  execFileSync(process.execPath, [tool, join(ui, "../../api/openapi.json"), "--default-non-nullable=false", "-o", fresh], { stdio: "ignore" });
  if (readFileSync(fresh, "utf8") !== readFileSync(join(ui, "src/api/schema.d.ts"), "utf8")) {
    console.error("src/api/schema.d.ts is not what api/openapi.json says: run npm run api");
    process.exitCode = 1;
  }
} finally {
  rmSync(dir, { recursive: true });
}
