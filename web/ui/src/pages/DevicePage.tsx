import { getRouteApi, Link } from "@tanstack/react-router";
import { Ago, Figure, Since, StateText, Waiting } from "../components/parts";
import { answersText, countText, spanText } from "../lib/format";
import { useStatus } from "../lib/queries";
import { TagBrowser } from "../tags/TagBrowser";

const route = getRouteApi("/devices/$device");

export function DevicePage() {
  const { device: name } = route.useParams();
  const { q = "", tag } = route.useSearch();
  const navigate = route.useNavigate();
  const { data, error } = useStatus();
  if (data === undefined) {
    return <Waiting error={error} />;
  }
  const d = data.devices.find((x) => x.name === name);
  if (d === undefined) {
    return (
      <>
        <h1>{name}</h1>
        <p>
          There is no device of this name any more. <Link to="/devices">All devices</Link>
        </p>
      </>
    );
  }
  return (
    <div className="fill">
      <h1>
        <Link to="/devices">Devices</Link> / {name} <StateText of="device" state={d.state} />
      </h1>
      {d.state === "dead" && (
        <p className="banner banner-bad">
          ✕ Dead for <Since at={d.since} />, {answersText(d.missed)} missed in a row{d.error === undefined ? "" : `: ${d.error}`}
        </p>
      )}
      <dl className="figures">
        <Figure name="Link">{d.link}</Figure>
        <Figure name="Last answer">
          <Ago at={d.last_answer} />
        </Figure>
        <Figure name="Round trip">{spanText(d.round_trip_seconds)}</Figure>
        <Figure name="Missed in a row">{countText(d.missed)}</Figure>
        <Figure name="Errors">{countText(d.errors)}</Figure>
        <Figure name="Tags">{countText(d.tags)}</Figure>
      </dl>
      <TagBrowser
        device={name}
        line={q}
        onLine={(line) => void navigate({ search: { q: line, tag }, replace: true })}
        open={tag}
        onOpen={(t) => void navigate({ search: { q, tag: t } })}
      />
    </div>
  );
}
