import { Link } from "@tanstack/react-router";
import { Fragment } from "react";
import { Ago, Since, StateText, Waiting } from "../components/parts";
import { countText, spanText } from "../lib/format";
import { useStatus, useTags, type Status } from "../lib/queries";
import { endpointText, isCalc } from "../lib/states";
import { useLevels, useLive } from "../live/context";

export function Devices() {
  const { data, error } = useStatus();
  const bad = useBadByDevice();
  if (data === undefined) {
    return <Waiting error={error} />;
  }
  return (
    <>
      <h1>Devices</h1>
      {data.links.length === 0 && <p className="dim">No device yet. Name a link and its devices in tagmap.yaml, then reload.</p>}
      <div className="panel">
        <table className="list tree">
          <thead>
            <tr>
              <th>Device</th>
              <th>State</th>
              <th className="num">State for</th>
              <th className="num">Last answer</th>
              <th className="num">Missed in a row</th>
              <th className="num">Errors</th>
              <th className="num">Round trip</th>
              <th className="num">Tags</th>
              <th className="num">Bad</th>
            </tr>
          </thead>
          <tbody>
            {data.links.map((l) => (
              <Fragment key={l.name}>
                <tr className="tree-link">
                  <th scope="rowgroup" colSpan={9}>
                    {l.name} <StateText of={isCalc(l.driver) ? "calc" : "link"} state={l.state} />{" "}
                    <span className="dim">
                      {l.driver} · {endpointText(l)}
                    </span>
                    {l.error !== undefined && <span className="cause"> {l.error}</span>}
                  </th>
                </tr>
                {data.devices
                  .filter((d) => d.link === l.name)
                  .map((d) => (
                    <DeviceRow key={d.name} device={d} bad={bad.get(d.name) ?? 0} />
                  ))}
              </Fragment>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function DeviceRow({ device: d, bad }: { device: Status["devices"][number]; bad: number }) {
  // What a phone leaves out while there is nothing wrong.
  const calm = d.state === "up" ? "num wide-only" : "num";
  return (
    <tr>
      <th scope="row" data-label="Device" className="tree-leaf">
        <Link to="/devices/$device" params={{ device: d.name }}>
          {d.name}
        </Link>
      </th>
      <td data-label="State">
        <StateText of="device" state={d.state} />
        {d.error !== undefined && <div className="cause">{d.error}</div>}
      </td>
      <td data-label="State for" className={calm}>
        <Since at={d.since} />
      </td>
      <td data-label="Last answer" className="num">
        <Ago at={d.last_answer} />
      </td>
      <td data-label="Missed in a row" className={d.missed === 0 ? calm : "num"}>
        {d.missed > 0 ? <span className="look look-bad">{countText(d.missed)}</span> : "0"}
      </td>
      <td data-label="Errors" className={d.errors === 0 ? calm : "num"}>
        {countText(d.errors)}
      </td>
      <td data-label="Round trip" className={calm}>
        {spanText(d.round_trip_seconds)}
      </td>
      <td data-label="Tags" className="num">
        {countText(d.tags)}
      </td>
      <td data-label="Bad" className={bad === 0 ? calm : "num"}>
        {bad > 0 ? (
          <Link to="/devices/$device" params={{ device: d.name }} search={{ q: "quality:bad" }} className="look look-bad">
            ✕ {bad}
          </Link>
        ) : (
          "0"
        )}
      </td>
    </tr>
  );
}

/** How many tags of each device are bad now. */
function useBadByDevice(): Map<string, number> {
  const { data } = useTags();
  const live = useLive();
  useLevels(); // draws again when a quality changes
  const by = new Map<string, number>();
  for (const t of data?.tags ?? []) {
    if (live.level(t.id, data?.generation ?? 0) === "bad") {
      by.set(t.device, (by.get(t.device) ?? 0) + 1);
    }
  }
  return by;
}
