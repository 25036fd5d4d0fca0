// Leaves each asset of the build only as .gz: that is what the gateway
// embeds and serves. index.html stays as it is, for its nonce.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const assets = fileURLToPath(new URL("../../dist/assets", import.meta.url));
let plain = 0;
let packed = 0;
for (const name of readdirSync(assets)) {
  const file = join(assets, name);
  const body = readFileSync(file);
  const zipped = gzipSync(body, { level: 9 });
  writeFileSync(file + ".gz", zipped);
  rmSync(file);
  plain += body.length;
  packed += zipped.length;
}
console.log(`assets: ${(plain / 1024).toFixed(0)} KiB, compressed ${(packed / 1024).toFixed(0)} KiB`);
