import { useRef, useState } from "react";
import type { FormEvent } from "react";
import { refresh, toApiError, useAnswer } from "../api/ask.ts";
import { call } from "../api/call.ts";
import type { ApiError } from "../api/call.ts";
import { number, object, text } from "../api/json.ts";
import { Dialog, Failure } from "../parts/pieces.tsx";
import type { BulkAction } from "./bulkActions.ts";

interface BulkDialogProps {
  readonly action: BulkAction;
  readonly filter: string;
  readonly onClose: () => void;
  readonly onStarted: (bulkId: string) => void;
}

const rateDefault = 100;
const rateMax = 1_000;

/** Says how many runs an action would meet, asks for its reason and its rate, and has the orchestrator begin it. */
export function BulkDialog({ action, filter, onClose, onStarted }: BulkDialogProps) {
  const preview = useAnswer("sidestep.v1.Runs/PreviewBulk", { filter, action: { kind: action.kind } });
  const [reason, setReason] = useState("");
  const [rate, setRate] = useState(rateDefault);
  const [error, setError] = useState<ApiError>();
  const [isUnderWay, setUnderWay] = useState(false);
  // Asked twice, it is begun once.
  const key = useRef(newKey());
  const found = number(preview.value ?? {}, "found");
  const runs = number(preview.value ?? {}, "runs");
  const start = (event: FormEvent): void => {
    event.preventDefault();
    if (isUnderWay) return;
    setUnderWay(true);
    setError(undefined);
    call("sidestep.v1.Runs/StartBulk", { filter, action: { kind: action.kind, reason }, rate }, { key: key.current })
      .then((answer) => {
        refresh("sidestep.v1.Runs/ListBulks");
        onStarted(text(object(answer["bulk"]), "bulkId"));
      })
      .catch((thrown: unknown) => setError(toApiError(thrown)))
      .finally(() => setUnderWay(false));
  };
  const many = `${runs.toLocaleString("en")} ${runs === 1 ? "run" : "runs"}`;
  return (
    <Dialog title={`${action.name} many runs`} onClose={onClose}>
      <form className="stack" onSubmit={start}>
        <p>{action.tells}</p>
        <p role="status">
          {preview.value === undefined ? "…" : <strong>It fits {many}</strong>}
          {found > runs ? ` of the ${found.toLocaleString("en")} found; the others are left as they are` : ""}.
        </p>
        {preview.error === undefined ? undefined : <Failure error={preview.error} />}
        <label className="field">
          <span className="name">Reason</span>
          <input
            type="text"
            value={reason}
            autoFocus
            placeholder="kept in each history"
            onChange={(event) => setReason(event.target.value)}
          />
        </label>
        <label className="field">
          <span className="name">Runs a second</span>
          <input
            type="number"
            min={1}
            max={rateMax}
            value={rate}
            onChange={(event) => setRate(Math.min(rateMax, Math.max(1, Math.floor(event.target.valueAsNumber) || 1)))}
          />
        </label>
        {error === undefined ? undefined : <Failure error={error} />}
        <div className="buttons">
          <button type="button" onClick={onClose}>
            Back
          </button>
          <button
            type="submit"
            className={action.isDangerous ? "danger primary" : "primary"}
            disabled={isUnderWay || runs === 0}
          >
            {action.name} {many}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Pages that came without TLS have no randomUUID. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
