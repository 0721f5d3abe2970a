import { useState } from "react";
import { toApiError } from "../api/ask.ts";
import { call } from "../api/call.ts";
import { Dialog } from "../parts/pieces.tsx";
import type { Listed } from "./useRuns.ts";

const actions = [
  {
    name: "Retry",
    method: "sidestep.v1.Runs/Retry",
    isDangerous: false,
    tells: "Tries the step of the only incident of each run again.",
  },
  {
    name: "Pause",
    method: "sidestep.v1.Runs/Pause",
    isDangerous: false,
    tells: "Nothing new begins in them until they are resumed.",
  },
  { name: "Resume", method: "sidestep.v1.Runs/Resume", isDangerous: false, tells: "They go on where they stand." },
  {
    name: "Compensate",
    method: "sidestep.v1.Runs/Compensate",
    isDangerous: true,
    tells: "Each fails at its incident, and what was done is undone.",
  },
  {
    name: "Cancel",
    method: "sidestep.v1.Runs/Cancel",
    isDangerous: true,
    tells: "No new steps in them; what was done is undone.",
  },
  {
    name: "Terminate",
    method: "sidestep.v1.Runs/Terminate",
    isDangerous: true,
    tells: "They end at once. Nothing is undone.",
  },
] as const;
type BulkAction = (typeof actions)[number];

const atOnce = 4;

interface BulkBarProps {
  readonly marked: ReadonlySet<string>;
  readonly rows: readonly Listed[];
  readonly onClear: () => void;
  readonly onDone: () => void;
}

/** What can be done with the runs that are marked. */
export function BulkBar({ marked, rows, onClear, onDone }: BulkBarProps) {
  const [open, setOpen] = useState<BulkAction>();
  if (marked.size === 0) return undefined;
  const chosen = rows.filter(({ run }) => marked.has(run.runId)).map(({ run }) => run.runId);
  return (
    <div className="card bulk row" role="group" aria-label="Actions on the marked runs">
      <strong>{chosen.length} marked</strong>
      {actions.map((action) => (
        <button
          key={action.name}
          type="button"
          className={`small${action.isDangerous ? " danger" : ""}`}
          onClick={() => setOpen(action)}
        >
          {action.name}
        </button>
      ))}
      <button type="button" className="small bare" onClick={onClear}>
        Clear
      </button>
      {open === undefined ? undefined : (
        <BulkDialog action={open} runIds={chosen} onClose={() => setOpen(undefined)} onDone={onDone} />
      )}
    </div>
  );
}

interface Progress {
  readonly done: number;
  readonly refused: readonly { readonly runId: string; readonly message: string }[];
}

function BulkDialog({
  action,
  runIds,
  onClose,
  onDone,
}: {
  readonly action: BulkAction;
  readonly runIds: readonly string[];
  readonly onClose: () => void;
  readonly onDone: () => void;
}) {
  const [reason, setReason] = useState("");
  const [progress, setProgress] = useState<Progress>();
  const isDone = progress !== undefined && progress.done + progress.refused.length === runIds.length;
  const begin = (): void => {
    setProgress({ done: 0, refused: [] });
    void each(runIds, async (runId) => {
      try {
        await call(action.method, { runId, reason });
        setProgress((now) => ({ refused: now?.refused ?? [], done: (now?.done ?? 0) + 1 }));
      } catch (error) {
        const refused = { runId, message: toApiError(error).message };
        setProgress((now) => ({ done: now?.done ?? 0, refused: [...(now?.refused ?? []), refused] }));
      }
    }).then(onDone);
  };
  return (
    <Dialog title={`${action.name} ${runIds.length} ${runIds.length === 1 ? "run" : "runs"}`} onClose={onClose}>
      <p>{action.tells} Runs whose state does not fit are left as they are, and told.</p>
      {progress === undefined ? (
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
      ) : (
        <div className="stack tight" role="status">
          <progress value={progress.done + progress.refused.length} max={runIds.length} aria-label="Progress" />
          <p>
            {progress.done} done, {progress.refused.length} refused, of {runIds.length}.
          </p>
          {progress.refused.slice(0, 20).map(({ runId, message }) => (
            <p key={runId} className="muted">
              <code>{runId.slice(-8)}</code> {message}
            </p>
          ))}
        </div>
      )}
      <div className="buttons">
        <button type="button" onClick={onClose}>
          {isDone ? "Close" : "Back"}
        </button>
        {progress === undefined ? (
          <button type="button" className={action.isDangerous ? "danger primary" : "primary"} onClick={begin}>
            {action.name} all
          </button>
        ) : undefined}
      </div>
    </Dialog>
  );
}

/** At most a few at a time. */
async function each(ids: readonly string[], act: (id: string) => Promise<void>): Promise<void> {
  const rest = [...ids];
  const worker = async (): Promise<void> => {
    for (let id = rest.shift(); id !== undefined; id = rest.shift()) await act(id);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
