import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium, type Browser, type Page } from "playwright-core";
import { inject } from "vitest";

export const sizes = { phone: { width: 390, height: 844 }, panel: { width: 1366, height: 768 } };
export type Size = keyof typeof sizes;
export type Scheme = "light" | "dark";

const browserPath = "/usr/bin/chromium";

/** A server of its own for one test file, and the browser that looks at it. */
export class Harness {
  url = "";
  private server: ChildProcess | null = null;
  private browser: Browser | null = null;

  async start(): Promise<void> {
    if (!existsSync(browserPath)) {
      throw new Error(`${browserPath} is missing: apt-get install chromium`);
    }
    await this.serve();
    this.browser = await chromium.launch({
      executablePath: browserPath,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
  }

  /** Starts the server; a second call, after drop, starts another at the same address. */
  async serve(): Promise<void> {
    const server = spawn(inject("server"), this.url === "" ? [] : ["-listen", new URL(this.url).host], { stdio: ["pipe", "pipe", "inherit"] });
    this.server = server;
    this.url = await new Promise<string>((found, failed) => {
      server.once("error", failed);
      server.once("exit", (code) => failed(new Error(`the server ended with ${code}`)));
      createInterface({ input: server.stdout }).once("line", found);
    });
  }

  /** A line for the made-up plant; see web/webtest/pageserver. */
  say(line: string): void {
    this.server?.stdin?.write(line + "\n");
  }

  /** Ends the server as a pulled cable would not, but a restart does. */
  async drop(): Promise<void> {
    const server = this.server;
    this.server = null;
    if (server !== null && server.exitCode === null) {
      const gone = new Promise((ended) => server.once("exit", ended));
      server.stdin?.end();
      await gone;
    }
  }

  async stop(): Promise<void> {
    await this.browser?.close();
    await this.drop();
  }

  /** A fresh page, and everything in its console that should not be there. */
  async page(size: Size, scheme: Scheme = "light"): Promise<{ page: Page; wrong: string[] }> {
    if (this.browser === null) {
      throw new Error("start the harness first");
    }
    const context = await this.browser.newContext({
      viewport: sizes[size],
      colorScheme: scheme,
      reducedMotion: "reduce",
      hasTouch: size === "phone",
      timezoneId: "Europe/Berlin",
      locale: "en-GB",
    });
    const page = await context.newPage();
    const wrong: string[] = [];
    // A broken Content-Security-Policy arrives as a console error too.
    page.on("console", (m) => {
      if (m.type() === "error" || m.type() === "warning") {
        wrong.push(m.text());
      }
    });
    page.on("pageerror", (e) => wrong.push(String(e)));
    page.on("request", (r) => {
      if (!r.url().startsWith(this.url) && !r.url().startsWith("data:")) {
        wrong.push(`asks for ${r.url()}`);
      }
    });
    return { page, wrong };
  }
}

/** Leaves a picture to be looked at, when FIELDFERRY_SHOTS names a folder. */
export async function shot(page: Page, name: string): Promise<void> {
  const dir = process.env["FIELDFERRY_SHOTS"];
  if (dir !== undefined && dir !== "") {
    mkdirSync(dir, { recursive: true });
    await page.screenshot({ path: join(dir, `${name}.png`) });
  }
}
