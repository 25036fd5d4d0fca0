import { Link } from "@tanstack/react-router";
import { Bar, Oldest, Panel, Revision, Since, StateText, Waiting } from "../components/parts";
import { answersText, bytesText, countText, shareText, spanText } from "../lib/format";
import { useStatus, type Status } from "../lib/queries";
import { endpointText, isCalc } from "../lib/states";
import { useLiveState } from "../live/context";

export function Overview() {
  const { data, error } = useStatus();
  if (data === undefined) {
    return <Waiting error={error} />;
  }
  return (
    <>
      <h1 className="sr">Overview</h1>
      <Sentence status={data} />
      <Links status={data} />
      <div className="columns">
        <DevicesPanel status={data} />
        <div>
          <UplinksPanel status={data} />
          <BufferPanel status={data} />
        </div>
      </div>
      <p className="dim foot">
        Gateway {data.gateway}, version {data.version}, revision <Revision id={data.revision} />, running for <Since at={data.started} />.
      </p>
    </>
  );
}

function Sentence({ status }: { status: Status }) {
  const live = useLiveState((s) => s.beat?.health);
  const health = live ?? status.health;
  const mark = { ok: "", warn: "◇ ", alarm: "▲ " }[health.level];
  return (
    <div className={`sentence sentence-${health.level}`} data-testid="health">
      <p>
        {mark}
        {health.sentence}
      </p>
      {status.fault !== undefined && <p className="sentence-more">{status.fault}</p>}
    </div>
  );
}

function Links({ status }: { status: Status }) {
  return (
    <Panel title="Links">
      {status.links.length === 0 ? (
        <p className="dim">No link yet: name one in tagmap.yaml.</p>
      ) : (
        <table className="list">
          <thead>
            <tr>
              <th>Link</th>
              <th>State</th>
              <th>Driver</th>
              <th>Endpoint</th>
              <th className="num">Devices</th>
              <th className="num" title="The shortest sampling interval of its tags">
                Interval
              </th>
              <th className="num" title="How long it takes to read all of its devices once">
                A round takes
              </th>
              <th>Time used</th>
              <th className="num" title="Reads that were skipped because the one before was still going on">
                Skipped
              </th>
            </tr>
          </thead>
          <tbody>
            {status.links.map((l) => (
              <LinkRow key={l.name} link={l} devices={status.devices.filter((d) => d.link === l.name)} />
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function LinkRow({ link, devices }: { link: Status["links"][number]; devices: Status["devices"] }) {
  const share = link.requested_seconds > 0 ? link.measured_seconds / link.requested_seconds : 0;
  const silent = devices.filter((d) => d.state === "dead" || d.state === "down").length;
  return (
    <tr>
      <th scope="row" data-label="Link">
        {link.name}
      </th>
      <td data-label="State">
        <StateText of={isCalc(link.driver) ? "calc" : "link"} state={link.state} />
        {link.error !== undefined && <div className="cause">{link.error}</div>}
      </td>
      <td data-label="Driver" className="wide-only">
        {link.driver}
      </td>
      <td data-label="Endpoint" className={isCalc(link.driver) ? "cut wide-only dim" : "cut wide-only"} title={link.endpoint}>
        {endpointText(link)}
      </td>
      <td data-label="Devices" className="num">
        <span>
          {devices.length} {silent > 0 && <span className="look look-bad">✕ {silent} silent</span>}
        </span>
      </td>
      <td data-label="Interval" className="num wide-only">
        {spanText(link.requested_seconds)}
      </td>
      <td data-label="A round takes" className="num wide-only">
        {share > 1 ? <span className="look look-uncertain">◇ {spanText(link.measured_seconds)}</span> : spanText(link.measured_seconds)}
      </td>
      <td data-label="Time used">
        {link.measured_seconds > 0 ? (
          <span className="budget">
            <Bar share={share} label={`${shareText(share)} of the interval`} />
            <span className="num">{shareText(share)}</span>
            <span className="dim narrow-only">of {spanText(link.requested_seconds)}</span>
          </span>
        ) : (
          <span className="dim">–</span>
        )}
      </td>
      <td data-label="Skipped" className={link.overruns === 0 ? "num wide-only" : "num"}>
        {link.overruns > 0 ? <span className="look look-uncertain">◇ {countText(link.overruns)}</span> : "0"}
      </td>
    </tr>
  );
}

const order = ["dead", "down", "maintenance", "starting", "up", "disabled"];

function DevicesPanel({ status }: { status: Status }) {
  const counts = useLiveState((s) => s.beat?.counts) ?? status.counts;
  const silent = status.devices.filter((d) => d.state === "dead" || d.state === "down");
  return (
    <Panel title="Devices and tags" aside={<Link to="/devices">All devices</Link>}>
      <ul className="tally">
        {order
          .map((state) => ({ state, n: status.devices.filter((d) => d.state === state).length }))
          .filter((x) => x.n > 0)
          .map((x) => (
            <li key={x.state}>
              <b>{x.n}</b> {x.state === "up" ? (x.n === 1 ? "answers" : "answer") : <StateText of="device" state={x.state} />}
            </li>
          ))}
        {status.devices.length === 0 && <li className="dim">No device yet: name one in tagmap.yaml.</li>}
      </ul>
      <ul className="lines">
        {silent.map((d) => (
          <li key={d.name}>
            <Link to="/devices/$device" params={{ device: d.name }}>
              {d.name}
            </Link>{" "}
            <StateText of="device" state={d.state} /> for <Since at={d.since} />
            {d.missed > 0 && `, ${answersText(d.missed)} missed`}
          </li>
        ))}
      </ul>
      <ul className="tally">
        <li>
          <b>{countText(counts.tags)}</b> tags
        </li>
        <li>
          <Link to="/tags" search={{ q: "quality:bad" }} className={counts.bad > 0 ? "look look-bad" : "dim"}>
            {counts.bad > 0 ? "✕ " : ""}
            {countText(counts.bad)} bad
          </Link>
        </li>
        <li>
          <Link to="/tags" search={{ q: "quality:uncertain" }} className={counts.uncertain > 0 ? "look look-uncertain" : "dim"}>
            {counts.uncertain > 0 ? "◇ " : ""}
            {countText(counts.uncertain)} uncertain or stale
          </Link>
        </li>
        {counts.none > 0 && (
          <li>
            <b>{countText(counts.none)}</b> not read yet
          </li>
        )}
      </ul>
    </Panel>
  );
}

function UplinksPanel({ status }: { status: Status }) {
  return (
    <Panel title="Uplinks" aside={<Link to="/uplinks">Details</Link>}>
      {status.uplinks.length === 0 ? (
        <p className="dim">No uplink yet: samples wait in the buffer. Name one in gateway.yaml.</p>
      ) : (
        <table className="list">
          <thead>
            <tr>
              <th>Uplink</th>
              <th>State</th>
              <th className="num">Waiting</th>
              <th className="num">Oldest</th>
            </tr>
          </thead>
          <tbody>
            {status.uplinks.map((u) => (
              <tr key={u.name}>
                <th scope="row" data-label="Uplink">
                  {u.name}
                </th>
                <td data-label="State">
                  <StateText of="uplink" state={u.state} />
                </td>
                <td data-label="Waiting" className="num">
                  {countText(u.pending)}
                </td>
                <td data-label="Oldest" className="num">
                  <Oldest at={u.oldest} never="–" />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function BufferPanel({ status }: { status: Status }) {
  const b = status.buffer;
  const share = b.max_bytes > 0 ? b.bytes / b.max_bytes : 0;
  return (
    <Panel title="Buffer" aside={<StateText of="buffer" state={b.state} />}>
      {b.error !== undefined && <p className="cause">{b.error}</p>}
      <p className="budget">
        <Bar share={share} limit={0.9} label={`${shareText(share)} of the buffer is used`} />
        <span className="num">
          {bytesText(b.bytes)} of {bytesText(b.max_bytes)}
        </span>
      </p>
      <p>
        {b.oldest === 0 ? "Every sample is delivered" : <>Oldest sample not yet delivered: <Since at={b.oldest} /> old</>}. Taken in since the start: {countText(b.appended)}.
      </p>
      {b.dropped.map((d) => (
        <p key={d.reason} className="look look-bad">
          ▲ {countText(d.samples)} samples dropped: {d.reason}
        </p>
      ))}
    </Panel>
  );
}
