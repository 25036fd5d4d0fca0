import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { Shell } from "./components/Shell";
import { Changes } from "./pages/Changes";
import { DevicePage } from "./pages/DevicePage";
import { Devices } from "./pages/Devices";
import { Overview } from "./pages/Overview";
import { Tags } from "./pages/Tags";
import { Uplinks } from "./pages/Uplinks";

type Search = { q?: string; tag?: string };

function search(given: Record<string, unknown>): Search {
  const s: Search = {};
  if (typeof given.q === "string" && given.q !== "") {
    s.q = given.q;
  }
  if (typeof given.tag === "string") {
    s.tag = given.tag;
  }
  return s;
}

const root = createRootRoute({ component: Shell, notFoundComponent: () => <p>There is no such page.</p> });
const parent = () => root;

const tags = createRoute({ getParentRoute: parent, path: "/tags", component: Tags, validateSearch: search });
const device = createRoute({ getParentRoute: parent, path: "/devices/$device", component: DevicePage, validateSearch: search });
const overview = createRoute({ getParentRoute: parent, path: "/", component: Overview });
const devices = createRoute({ getParentRoute: parent, path: "/devices", component: Devices });
const uplinks = createRoute({ getParentRoute: parent, path: "/uplinks", component: Uplinks });
const changes = createRoute({ getParentRoute: parent, path: "/changes", component: Changes });

export const router = createRouter({ routeTree: root.addChildren([overview, devices, device, tags, uplinks, changes]) });

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
