import { useState } from "react";
import { refresh } from "../api/ask.ts";
import { Chip, Empty, Lasting, When } from "../parts/pieces.tsx";
import type { Look } from "../parts/states.ts";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import type { Sidecar } from "./services.ts";
import { ActButton } from "../session/ActButton.tsx";

/** The sidecars that are alive, and the way to empty one. */
export function SidecarTable({ sidecars }: { readonly sidecars: readonly Sidecar[] }) {
  return (
    <section className="card" aria-label="Sidecars">
      <header>
        <h2>Sidecars</h2>
      </header>
      {sidecars.length === 0 ? (
        <Empty title="No sidecar is alive">
          <code>sidestep sidecar --service localhost:50051</code>
        </Empty>
      ) : (
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th>Sidecar</th>
                <th>Service process</th>
                <th>State</th>
                <th className="number">In flight</th>
                <th>Offers</th>
                <th>Version</th>
                <th>Heard</th>
                <th>
                  <span className="unseen">Drain</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {sidecars.map((one) => (
                <tr key={`${one.id} ${one.target}`}>
                  <td className="mono">{one.id}</td>
                  <td className="mono">{one.target}</td>
                  <td>
                    <Chip look={lookOf(one)} />
                    {one.draining === undefined ? undefined : (
                      <div className="muted small-text">
                        {one.draining.reason === "" ? "" : `${one.draining.reason}, `}
                        {one.draining.actor === "" ? "" : `by ${one.draining.actor}, `}
                        <Lasting from={one.draining.since} />
                      </div>
                    )}
                  </td>
                  <td className="number">
                    {one.inFlight} of {one.concurrency}
                  </td>
                  <td>{one.services.join(", ")}</td>
                  <td>{one.version}</td>
                  <td>
                    <When at={one.heardAt} />
                  </td>
                  <td className="number">
                    <Draining sidecar={one} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Draining({ sidecar: { id, draining } }: { readonly sidecar: Sidecar }) {
  const [isOpen, setOpen] = useState<"drain" | "resume">();
  const request: Action["request"] = ({ reason }) => ({ sidecarId: id, reason });
  const onDone = (): void => refresh("sidestep.v1.Services/");
  const drain: Action = {
    name: "Drain",
    tells: `${id} finishes what it has and takes nothing new, until it is resumed or started anew.`,
    isDangerous: true,
    method: "sidestep.v1.Services/DrainSidecar",
    request,
    reason: "Reason",
    done: `${id} takes nothing new.`,
    onDone,
  };
  const resume: Action = {
    name: "Resume",
    tells: `${id} takes calls again.`,
    isDangerous: false,
    method: "sidestep.v1.Services/ResumeSidecar",
    request,
    reason: "Reason",
    done: `${id} takes calls again.`,
    onDone,
  };
  const offered = draining === undefined ? drain : resume;
  return (
    <>
      <ActButton
        method={offered.method}
        className="small"
        onClick={() => setOpen(draining === undefined ? "drain" : "resume")}
        aria-label={`${offered.name} ${id}`}
      >
        {offered.name}
      </ActButton>
      {isOpen === undefined ? undefined : (
        <ActionDialog action={isOpen === "drain" ? drain : resume} onClose={() => setOpen(undefined)} />
      )}
    </>
  );
}

function lookOf({ draining, isServing }: Sidecar): Look {
  if (draining !== undefined) return { word: "draining", tone: "waiting", icon: "pause" };
  return isServing
    ? { word: "serving", tone: "done", icon: "check" }
    : { word: "its service is away or not healthy", tone: "failed", icon: "warning" };
}
