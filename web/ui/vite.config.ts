import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The nonce is filled in by the gateway for each answer. Assets stay files of
// their own: the policy of the page allows no inline data but images.
export default defineConfig({
  plugins: [react()],
  html: { cspNonce: "__NONCE__" },
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 900,
  },
  server: {
    // `npm run dev` beside a gateway, or beside web/webtest/pageserver.
    proxy: { "/api": { target: process.env.FIELDFERRY ?? "http://127.0.0.1:8443", changeOrigin: true, headers: { origin: "" } } },
  },
  test: { include: ["src/**/*.test.ts"] },
});
