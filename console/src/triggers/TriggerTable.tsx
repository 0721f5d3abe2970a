import { useState } from "react";
import { refresh } from "../api/ask.ts";
import { Link, useAddress, withQuery } from "../navigation.tsx";
import { Chip, When, WorkflowLink } from "../parts/pieces.tsx";
import type { Look } from "../parts/states.ts";
import { ActedTable } from "../parts/ActedTable.tsx";
import { ActionButton } from "../run/ActionButton.tsx";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import type { EventTrigger } from "./triggers.ts";

/** Triggers by events, and what waits for each. */
export function TriggerTable({ triggers }: { readonly triggers: readonly EventTrigger[] }) {
  return (
    <ActedTable
      headings={["Trigger", "Subject", "State", { number: "Waiting" }, { number: "In hands" }, { number: "Parked" }]}
    >
      {triggers.map((trigger) => (
        <Row key={trigger.id} trigger={trigger} />
      ))}
    </ActedTable>
  );
}

function Row({ trigger }: { readonly trigger: EventTrigger }) {
  const { id, name, workflow, signal, pattern, type, stream, waiting, inHands, parked } = trigger;
  const address = useAddress();
  return (
    <tr>
      <td className="name">
        <div className="mono" title={id}>
          {name}
        </div>
        <div className="small-text">
          <span className="muted">{signal === "" ? "starts" : `signals ${signal} of`}</span>{" "}
          <WorkflowLink workflow={workflow} />
        </div>
      </td>
      <td>
        <span className="mono">{pattern}</span>
        <div className="muted small-text">
          {type}
          {stream === "" ? "" : `, of the stream ${stream}`}
        </div>
      </td>
      <td>
        <State trigger={trigger} />
      </td>
      <td className="number">{waiting.toLocaleString("en")}</td>
      <td className="number">{inHands.toLocaleString("en")}</td>
      <td className="number">
        {parked === 0 ? (
          "0"
        ) : (
          <Link href={withQuery(address, { trigger: id })} aria-label={`Parked messages: ${id}`}>
            {parked.toLocaleString("en")}
          </Link>
        )}
      </td>
      <td className="number">
        <Actions trigger={trigger} />
      </td>
    </tr>
  );
}

const looks: Readonly<Record<EventTrigger["state"], Look>> = {
  ACTIVE: { word: "active", tone: "done", icon: "check" },
  PAUSED: { word: "paused", tone: "waiting", icon: "pause" },
  BLOCKED: { word: "blocked", tone: "failed", icon: "warning" },
  RETIRED: { word: "retired", tone: "idle", icon: "stop" },
  STATE_UNSPECIFIED: { word: "not known", tone: "idle", icon: "clock" },
};

function State({ trigger }: { readonly trigger: EventTrigger }) {
  const { state, blocked, pausedBy, pauseReason, pausedAt, retiredAt } = trigger;
  return (
    <>
      <Chip look={looks[state]} />
      {state === "PAUSED" ? (
        <div className="muted small-text">
          {pauseReason === "" ? "" : `${pauseReason}, `}
          {pausedBy === "" ? "" : `by ${pausedBy}, `}
          <When at={pausedAt} />
        </div>
      ) : undefined}
      {blocked === "" ? undefined : <div className="small-text">{blocked}</div>}
      {state === "RETIRED" ? (
        <div className="muted small-text">
          The contract has it no more, <When at={retiredAt} />.
        </div>
      ) : undefined}
    </>
  );
}

function Actions({ trigger: { id, state } }: { readonly trigger: EventTrigger }) {
  const [open, setOpen] = useState<Action>();
  const shared = {
    reason: "Reason",
    request: ({ reason }: { readonly reason: string }) => ({ triggerId: id, reason }),
    onDone: () => refresh("sidestep.v1.Triggers/"),
  };
  const pause: Action = {
    ...shared,
    name: "Pause",
    tells: `${id} takes no messages until it is resumed; what comes meanwhile is kept.`,
    isDangerous: false,
    method: "sidestep.v1.Triggers/Pause",
    done: `${id} is paused.`,
  };
  const resume: Action = {
    ...shared,
    name: "Resume",
    tells: `${id} goes on with what has been kept.`,
    isDangerous: false,
    method: "sidestep.v1.Triggers/Resume",
    done: `${id} goes on.`,
  };
  const forget: Action = {
    ...shared,
    name: "Delete",
    tells: `${id} is forgotten, with all that waits for it and is parked.`,
    isDangerous: true,
    method: "sidestep.v1.Triggers/Delete",
    done: `${id} is forgotten.`,
  };
  const offered: Readonly<Record<EventTrigger["state"], readonly Action[]>> = {
    ACTIVE: [pause],
    BLOCKED: [pause],
    PAUSED: [resume],
    RETIRED: [forget],
    STATE_UNSPECIFIED: [],
  };
  return (
    <span className="row">
      {offered[state].map((action) => (
        <ActionButton key={action.name} action={action} of={id} onOpen={setOpen} />
      ))}
      {open === undefined ? undefined : <ActionDialog action={open} onClose={() => setOpen(undefined)} />}
    </span>
  );
}
