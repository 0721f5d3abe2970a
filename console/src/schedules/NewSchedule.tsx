import { useMemo, useState } from "react";
import { refresh, useAnswer } from "../api/ask.ts";
import { toDefinition, toWorkflow } from "../api/definition.ts";
import { list, object } from "../api/json.ts";
import { Labelled } from "../form/Labelled.tsx";
import { Failure } from "../parts/pieces.tsx";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import { ActButton } from "../session/ActButton.tsx";
import { cronOf, overlaps } from "./cronInput.ts";
import type { Times } from "./cronInput.ts";

const method = "sidestep.v1.Schedules/Create";

/** A button, and the form behind it, for a schedule outside of a contract. */
export function NewSchedule() {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <ActButton method={method} className="primary" onClick={() => setOpen(true)}>
        New schedule
      </ActButton>
      {isOpen ? <Form onClose={() => setOpen(false)} /> : undefined}
    </>
  );
}

function Form({ onClose }: { readonly onClose: () => void }) {
  const [id, setId] = useState("");
  const [workflow, setWorkflow] = useState("");
  const [times, setTimes] = useState<Times>({
    kind: "calendar",
    line: "",
    timeZone: ownZone(),
    every: "",
    phase: "",
    overlap: "SKIP",
  });
  const described = useDefinition(workflow);
  const { definition } = described;
  const action: Action = {
    name: "Create schedule",
    tells: "Starts a run of a workflow at each of its nominal times, with the request that is given here.",
    isDangerous: false,
    method,
    request: ({ reason, message }) => ({ scheduleId: id, workflow, cron: cronOf(times), input: message, reason }),
    form: definition === undefined ? undefined : { descriptors: definition.descriptors, type: definition.requestType },
    reason: "Reason",
    done: `${id} is made.`,
    onDone: () => refresh("sidestep.v1.Schedules/"),
  };
  return (
    <ActionDialog action={action} onClose={onClose}>
      <Labelled name="Name" help="Small letters, digits, - and _; nobody can change it later.">
        {(ids) => (
          <input
            {...ids}
            type="text"
            required
            autoFocus
            autoComplete="off"
            pattern="[a-z0-9][a-z0-9_\-]{0,99}"
            value={id}
            onChange={(event) => setId(event.target.value)}
          />
        )}
      </Labelled>
      <Workflows value={workflow} onChange={setWorkflow} />
      <TimesInput times={times} onChange={setTimes} />
      {described.error === undefined ? undefined : <Failure error={described.error} />}
    </ActionDialog>
  );
}

/** Those that runs can be started of. */
function Workflows({ value, onChange }: { readonly value: string; readonly onChange: (workflow: string) => void }) {
  const answer = useAnswer("sidestep.v1.Definitions/List");
  const active = useMemo(
    () =>
      answer.value === undefined
        ? []
        : list(answer.value, "workflows", toWorkflow).filter(({ activeVersion }) => activeVersion > 0),
    [answer.value],
  );
  return (
    <>
      <Labelled name="Workflow" help="">
        {(ids) => (
          <select {...ids} required value={value} onChange={(event) => onChange(event.target.value)}>
            <option value="">choose one</option>
            {active.map((one) => (
              <option key={one.workflow}>{one.workflow}</option>
            ))}
          </select>
        )}
      </Labelled>
      {answer.error === undefined ? undefined : <Failure error={answer.error} />}
    </>
  );
}

function TimesInput({ times, onChange }: { readonly times: Times; readonly onChange: (times: Times) => void }) {
  const text = (name: "line" | "timeZone" | "every" | "phase", title: string, help: string, isNeeded: boolean) => (
    <Labelled name={title} help={help}>
      {(ids) => (
        <input
          {...ids}
          type="text"
          className="mono"
          required={isNeeded}
          autoComplete="off"
          list={name === "timeZone" ? "zones" : undefined}
          value={times[name]}
          onChange={(event) => onChange({ ...times, [name]: event.target.value })}
        />
      )}
    </Labelled>
  );
  return (
    <>
      <Labelled name="Times" help="">
        {(ids) => (
          <select
            {...ids}
            value={times.kind}
            onChange={(event) =>
              onChange({ ...times, kind: event.target.value === "interval" ? "interval" : "calendar" })
            }
          >
            <option value="calendar">by a calendar</option>
            <option value="interval">each so often</option>
          </select>
        )}
      </Labelled>
      {times.kind === "calendar" ? (
        <>
          {text("line", "Cron line", "Minute, hour, day of the month, month, day of the week: 30 2 * * mon-fri", true)}
          {text("timeZone", "Time zone", "As IANA names it; its clock changes count.", true)}
          <datalist id="zones">
            {zones.map((zone) => (
              <option key={zone} value={zone} />
            ))}
          </datalist>
        </>
      ) : (
        <>
          {text("every", "Every", "1s at least: 15m, 2h, 1d", true)}
          {text(
            "phase",
            "Put off by",
            "Nominal times are multiples of the interval since 1970, UTC; shorter than it.",
            false,
          )}
        </>
      )}
      <Labelled name="While the run before goes on" help="">
        {(ids) => (
          <select
            {...ids}
            value={times.overlap}
            onChange={(event) => onChange({ ...times, overlap: event.target.value })}
          >
            {overlaps.map(([policy, tells]) => (
              <option key={policy} value={policy}>
                {tells}
              </option>
            ))}
          </select>
        )}
      </Labelled>
    </>
  );
}

/** What is active of a workflow; empty: none is chosen. */
function useDefinition(workflow: string) {
  const got = useAnswer(workflow === "" ? undefined : "sidestep.v1.Definitions/Get", { workflow });
  const version = got.value === undefined ? 0 : toWorkflow(object(got.value["workflow"])).activeVersion;
  const described = useAnswer(version === 0 ? undefined : "sidestep.v1.Definitions/Describe", { workflow, version });
  const definition = useMemo(
    () => (described.value === undefined ? undefined : toDefinition(described.value)),
    [described.value],
  );
  return { definition, error: got.error ?? described.error };
}

const zones: readonly string[] = ["UTC", ...Intl.supportedValuesOf("timeZone")];

function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
