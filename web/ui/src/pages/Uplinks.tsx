import { Figure, Oldest, Panel, Since, StateText, Waiting } from "../components/parts";
import { countText, spanText } from "../lib/format";
import { useStatus, type Status } from "../lib/queries";

export function Uplinks() {
  const { data, error } = useStatus();
  if (data === undefined) {
    return <Waiting error={error} />;
  }
  return (
    <>
      <h1>Uplinks</h1>
      {data.uplinks.length === 0 && <p className="dim">No uplink yet: samples are kept in the buffer. Name one in gateway.yaml, then reload.</p>}
      {data.uplinks.map((u) => (
        <Uplink key={u.name} uplink={u} />
      ))}
    </>
  );
}

function Uplink({ uplink: u }: { uplink: Status["uplinks"][number] }) {
  return (
    <Panel title={u.name} aside={<StateText of="uplink" state={u.state} />}>
      {u.error !== undefined && <p className="cause">{u.error}</p>}
      <dl className="figures">
        <Figure name="Broker">{u.broker}</Figure>
        <Figure name="Format">{u.format}</Figure>
        <Figure name={u.state === "up" ? "Connected for" : u.state === "down" ? "Not connected for" : "In this state for"}>
          <Since at={u.since} />
        </Figure>
        <Figure name="Samples waiting">{countText(u.pending)}</Figure>
        <Figure name="Oldest waiting">
          <Oldest at={u.oldest} never="none" />
        </Figure>
        <Figure name="Messages in flight">{countText(u.in_flight)}</Figure>
        <Figure name="Acknowledged after">{spanText(u.ack_delay_seconds)}</Figure>
        <Figure name="Delivered since the start">{countText(u.delivered)}</Figure>
        <Figure name="Put aside">
          {u.refused > 0 ? <span className="look look-bad">▲ {countText(u.refused)} the broker would never take</span> : "0"}
        </Figure>
      </dl>
    </Panel>
  );
}
