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

/** How a program is started and ended, and where its page is said to be. */
type Program = {
  name: "pageserver" | "demo";
  args: (listen: string) => string[];
  page: RegExp;
  end: (p: ChildProcess) => void;
};

/** The page over the made-up plant, which moves as a test says. */
export const pageserver: Program = {
  name: "pageserver",
  args: (listen) => ["-listen", listen],
  page: /^(http:\S+)$/,
  end: (p) => p.stdin?.end(),
};

/** The real gateway with the simulated plant; it ends by itself should the test be killed. */
export const demo: Program = {
  name: "demo",
  args: (listen) => ["demo", "--listen", listen, "--kill-broker-every", "20s", "--for", "10m"],
  page: /^ *page +(http:\S+)$/,
  end: (p) => p.kill("SIGINT"),
};

/** A server of its own for one test file, and the browser that looks at it. */
export class Harness {
  url = "";
  /** What the program has printed so far. */
  readonly printed: string[] = [];
  private readonly program: Program;
  private server: ChildProcess | null = null;
  private browser: Browser | null = null;

  constructor(program: Program) {
    this.program = program;
  }

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
    const listen = this.url === "" ? "127.0.0.1:0" : new URL(this.url).host;
    const server = spawn(inject(this.program.name), this.program.args(listen), { stdio: ["pipe", "pipe", "inherit"] });
    this.server = server;
    this.url = await new Promise<string>((found, failed) => {
      server.once("error", failed);
      server.once("exit", (code) => failed(new Error(`the server ended with ${code}`)));
      createInterface({ input: server.stdout }).on("line", (line) => {
        this.printed.push(line);
        const page = this.program.page.exec(line)?.[1];
        if (page !== undefined) {
          found(page);
        }
      });
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
      this.program.end(server);
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
    context.setDefaultTimeout(patience);
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

/** How long a busy machine may take for what takes a moment, in milliseconds. */
const patience = 60_000;

/** Polls until it holds: no test here waits for a while and hopes. */
export async function until(what: string, holds: () => Promise<boolean>, seconds = patience / 1000): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > end) {
      throw new Error(`never came true: ${what}`);
    }
    await new Promise((again) => setTimeout(again, 50));
  }
}

export const row = (path: string) => `[data-tag="${path}"]`;

/** What stands in one cell of the sheet. */
export async function cell(page: Page, path: string, column: string): Promise<string> {
  return (await page.textContent(`${row(path)} [data-column=${column}]`)) ?? "";
}

/** Leaves a picture to be looked at, when FIELDFERRY_SHOTS names a folder. */
export async function shot(page: Page, name: string): Promise<void> {
  const dir = process.env["FIELDFERRY_SHOTS"];
  if (dir !== undefined && dir !== "") {
    mkdirSync(dir, { recursive: true });
    await page.screenshot({ path: join(dir, `${name}.png`) });
  }
}
