import { useState } from "react";
import { refresh } from "../api/ask.ts";
import { instantText } from "../parts/clock.ts";
import { Chip, RunLink, When, WorkflowLink } from "../parts/pieces.tsx";
import type { Look } from "../parts/states.ts";
import { ActedTable } from "../parts/ActedTable.tsx";
import { ActionButton } from "../run/ActionButton.tsx";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import { ActButton } from "../session/ActButton.tsx";
import { Backfill } from "./Backfill.tsx";
import type { Fired, Schedule } from "./schedules.ts";

/** Schedules, when they start runs next, and what came of their last times. */
export function ScheduleTable({ schedules }: { readonly schedules: readonly Schedule[] }) {
  return (
    <ActedTable headings={["Schedule", "Times", "State", "Next", "Last", "In all"]}>
      {schedules.map((schedule) => (
        <Row key={schedule.id} schedule={schedule} />
      ))}
    </ActedTable>
  );
}

function Row({ schedule }: { readonly schedule: Schedule }) {
  const { id, workflow, times, overlap, trigger, nextAt, counts } = schedule;
  const [last] = schedule.fired;
  return (
    <tr>
      <td className="name">
        <div className="mono" title={id}>
          {trigger === "" ? id : trigger}
        </div>
        <div className="small-text">
          <WorkflowLink workflow={workflow} /> <span className="muted">{trigger === "" ? "" : "by its contract"}</span>
        </div>
      </td>
      <td>
        <span className="mono nowrap">{times}</span>
        <div className="muted small-text">overlap: {overlap}</div>
      </td>
      <td>
        <State schedule={schedule} />
      </td>
      <td className="nowrap">
        <When at={nextAt} />
        {nextAt === undefined ? undefined : <div className="muted small-text">{instantText(nextAt).slice(0, 19)}</div>}
      </td>
      <td>{last === undefined ? <span className="muted">nothing yet</span> : <Last fired={last} />}</td>
      <td className="small-text">
        {counts.map(([name, count]) => (
          <div key={name}>
            {count.toLocaleString("en")} {name}
          </div>
        ))}
      </td>
      <td className="number">
        <Actions schedule={schedule} />
      </td>
    </tr>
  );
}

const looks: Readonly<Record<Schedule["state"], Look>> = {
  ACTIVE: { word: "active", tone: "done", icon: "check" },
  PAUSED: { word: "paused", tone: "waiting", icon: "pause" },
  RETIRED: { word: "retired", tone: "idle", icon: "stop" },
  STATE_UNSPECIFIED: { word: "not known", tone: "idle", icon: "clock" },
};

function State({ schedule: { state, pausedBy, pauseReason, pausedAt } }: { readonly schedule: Schedule }) {
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
      {state === "RETIRED" ? <div className="muted small-text">The contract has it no more.</div> : undefined}
    </>
  );
}

const outcomes: Readonly<Record<Fired["kind"], Look>> = {
  STARTED: { word: "started", tone: "done", icon: "play" },
  JOINED: { word: "joined", tone: "done", icon: "check" },
  UNWANTED: { word: "not wanted", tone: "idle", icon: "skip" },
  FAILED: { word: "failed", tone: "failed", icon: "cross" },
  SKIPPED: { word: "left out", tone: "warned", icon: "skip" },
  MISSED: { word: "missed", tone: "failed", icon: "clock" },
  KIND_UNSPECIFIED: { word: "not known", tone: "idle", icon: "clock" },
};

function Last({ fired: { nominal, kind, runId, note } }: { readonly fired: Fired }) {
  return (
    <>
      <span className="row">
        <Chip look={outcomes[kind]} /> {runId === "" ? undefined : <RunLink runId={runId} />}
      </span>
      <div className="muted small-text">
        due <When at={nominal} />
        {note === "" ? "" : `: ${note}`}
      </div>
    </>
  );
}

function Actions({ schedule: { id, state, trigger: ofContract } }: { readonly schedule: Schedule }) {
  const [open, setOpen] = useState<Action>();
  const [isBackfill, setBackfill] = useState(false);
  const shared = {
    isDangerous: false,
    reason: "Reason",
    request: ({ reason }: { readonly reason: string }) => ({ scheduleId: id, reason }),
    onDone: () => refresh("sidestep.v1.Schedules/"),
  };
  const pause: Action = {
    ...shared,
    name: "Pause",
    tells: `${id} starts nothing until it is resumed; what passes meanwhile is not made up for.`,
    method: "sidestep.v1.Schedules/Pause",
    done: `${id} is paused.`,
  };
  const resume: Action = {
    ...shared,
    name: "Resume",
    tells: `${id} goes on with its next nominal time.`,
    method: "sidestep.v1.Schedules/Resume",
    done: `${id} goes on.`,
  };
  const trigger: Action = {
    ...shared,
    name: "Start now",
    tells: "A run is started at once, whatever else goes on; this moment is its nominal time.",
    method: "sidestep.v1.Schedules/Trigger",
    done: "A run was started.",
  };
  const remove: Action = {
    ...shared,
    name: "Delete",
    tells: `${id} is forgotten; its runs go on.`,
    isDangerous: true,
    method: "sidestep.v1.Schedules/Delete",
    done: `${id} is deleted.`,
  };
  const ofState = state === "PAUSED" ? [resume, trigger] : state === "ACTIVE" ? [pause, trigger] : [];
  const button = (action: Action) => <ActionButton key={action.name} action={action} of={id} onOpen={setOpen} />;
  return (
    <span className="row several">
      {ofState.map(button)}
      {state === "RETIRED" ? undefined : (
        <ActButton
          method="sidestep.v1.Schedules/Backfill"
          className="small"
          aria-label={`Backfill: ${id}`}
          onClick={() => setBackfill(true)}
        >
          Backfill
        </ActButton>
      )}
      {/* What a contract makes goes with it. */}
      {ofContract === "" ? button(remove) : undefined}
      {isBackfill ? <Backfill id={id} onClose={() => setBackfill(false)} /> : undefined}
      {open === undefined ? undefined : <ActionDialog action={open} onClose={() => setOpen(undefined)} />}
    </span>
  );
}
