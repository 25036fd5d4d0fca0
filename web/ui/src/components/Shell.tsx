import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import type { Schemas } from "../api/client";
import { useDraft } from "../draft/context";
import { clockText } from "../lib/format";
import { useStatus, useStatusAtTurns } from "../lib/queries";
import { useLiveState, useNow } from "../live/context";
import { SchemeSwitch } from "./SchemeSwitch";

const pages = [
  { to: "/", name: "Overview" },
  { to: "/devices", name: "Devices" },
  { to: "/tags", name: "Tags" },
  { to: "/uplinks", name: "Uplinks" },
  { to: "/changes", name: "Changes" },
] as const;

/** What every page has around it. */
export function Shell() {
  const at = useRouterState({ select: (s) => s.location.pathname });
  const page = pages.find((p) => (p.to === "/" ? at === "/" : at.startsWith(p.to)))?.name;
  useEffect(() => {
    document.title = page === undefined ? "Fieldferry" : `${page} · Fieldferry`;
  }, [page]);
  const lost = useLiveState((s) => s.connection === "lost");
  return (
    <div className={lost ? "shell lost" : "shell"}>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <Header />
      <nav className="rail" aria-label="Pages">
        {pages.map((p) => (
          <Link key={p.to} to={p.to} activeOptions={{ exact: p.to === "/" }} className="rail-link">
            {p.name}
          </Link>
        ))}
      </nav>
      <main id="main" tabIndex={-1}>
        <Connection />
        <Outlet />
      </main>
    </div>
  );
}

function Header() {
  const { data } = useStatus();
  useStatusAtTurns();
  const health = useLiveState((s) => s.beat?.health);
  return (
    <header className="head">
      <div className="head-name">
        <span className="head-product">Fieldferry</span>
        <span className="head-gateway">{data?.gateway ?? ""}</span>
      </div>
      <div className="head-chips">
        {health && (
          <>
            <Chip name="Field" to="/devices" chip={health.field} />
            <Chip name="Buffer" to="/" chip={health.buffer} />
            <Chip name="Uplink" to="/uplinks" chip={health.uplink} />
          </>
        )}
      </div>
      <DraftPill />
      <SchemeSwitch />
    </header>
  );
}

const levels = { ok: { mark: "", word: "ok" }, warn: { mark: "◇ ", word: "check" }, alarm: { mark: "▲ ", word: "act now" } };

function Chip({ name, to, chip }: { name: string; to: "/" | "/devices" | "/uplinks"; chip: Schemas["Chip"] }) {
  const { mark, word } = levels[chip.level];
  return (
    <Link to={to} className={`chip chip-${chip.level}`} title={chip.text}>
      {mark}
      {name}: <span className="chip-word">{word}</span>
      <span className="sr">, {chip.text}</span>
    </Link>
  );
}

function DraftPill() {
  const { count } = useDraft();
  if (count === 0) {
    return null;
  }
  return (
    <Link to="/changes" className="pill" data-testid="draft-pill">
      {count === 1 ? "1 change" : `${count} changes`} · Review
    </Link>
  );
}

/** Says it when what is on the page is not live. */
function Connection() {
  const connection = useLiveState((s) => s.connection);
  const frozen = useLiveState((s) => s.frozen);
  const now = useNow();
  const text =
    connection === "lost"
      ? `▲ Connection lost: values are frozen since ${clockText(frozen, now)}. Trying again.`
      : connection === "opening"
        ? "Connecting to the gateway …"
        : "";
  return (
    <div role="status" aria-live="polite" className={connection === "lost" ? "banner banner-alarm" : text === "" ? "quiet" : "banner"}>
      {text}
    </div>
  );
}
