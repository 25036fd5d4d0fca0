import { getRouteApi } from "@tanstack/react-router";
import { TagBrowser } from "../tags/TagBrowser";

const route = getRouteApi("/tags");

export function Tags() {
  const { q = "", tag } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <div className="fill">
      <h1>Tags</h1>
      <TagBrowser
        line={q}
        onLine={(line) => void navigate({ search: { q: line, tag }, replace: true })}
        open={tag}
        onOpen={(t) => void navigate({ search: { q, tag: t } })}
      />
    </div>
  );
}
