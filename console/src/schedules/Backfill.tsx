import { useState } from "react";
import { refresh } from "../api/ask.ts";
import { number } from "../api/json.ts";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import { say } from "../shell/toasts.tsx";

/** Asks for the span whose nominal times get a run each. */
export function Backfill({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const action: Action = {
    name: "Backfill",
    tells: `A run is started for each nominal time of the span that has none, one after the other, whatever the overlap policy says; 1,000 at most.`,
    isDangerous: false,
    method: "sidestep.v1.Schedules/Backfill",
    request: ({ reason }) => ({ scheduleId: id, from: instantOf(from), to: instantOf(to), reason }),
    reason: "Reason",
    onDone: (answer) => {
      const times = number(answer, "times");
      say(
        times === 1 ? "One nominal time gets its run." : `${times.toLocaleString("en")} nominal times get their runs.`,
      );
      refresh("sidestep.v1.Schedules/");
    },
  };
  return (
    <ActionDialog action={action} onClose={onClose}>
      <Moment name="From" value={from} onChange={setFrom} />
      <Moment name="To" value={to} onChange={setTo} />
    </ActionDialog>
  );
}

/** A point in time, on the clock of who looks. */
function Moment({
  name,
  value,
  onChange,
}: {
  readonly name: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}) {
  return (
    <label className="field">
      <span className="name">{name}</span>
      <input type="datetime-local" required value={value} onChange={(event) => onChange(event.target.value)} />
    </label>
  );
}

function instantOf(local: string): string {
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? local : at.toISOString();
}
