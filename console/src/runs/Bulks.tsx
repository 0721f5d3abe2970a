import { useEffect, useMemo, useState } from "react";
import { refresh, useAnswer } from "../api/ask.ts";
import { toBulk } from "../api/bulk.ts";
import type { Bulk } from "../api/bulk.ts";
import { list } from "../api/json.ts";
import { Link, useAddress, withQuery } from "../navigation.tsx";
import { RunLink, When } from "../parts/pieces.tsx";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import { ActButton } from "../session/ActButton.tsx";

/** While one goes on. */
const lookMs = 1_000;

/** Actions on many runs: the one that the address names, and those that go on. They outlive this page. */
export function Bulks() {
  const address = useAddress();
  const chosen = address.searchParams.get("bulk");
  const { value } = useAnswer("sidestep.v1.Runs/ListBulks");
  const bulks = useMemo(() => (value === undefined ? [] : list(value, "bulks", toBulk)), [value]);
  const going = bulks.filter(({ state }) => state === "RUNNING");
  const isGoing = going.length > 0;
  useEffect(() => {
    if (!isGoing) return undefined;
    const timer = setInterval(() => refresh("sidestep.v1.Runs/ListBulks"), lookMs);
    return () => clearInterval(timer);
  }, [isGoing]);
  const shown = bulks.filter(({ bulkId, state }) => bulkId === chosen || state === "RUNNING");
  return shown.map((bulk) => (
    <Progress key={bulk.bulkId} bulk={bulk} closed={withQuery(address, { bulk: undefined })} />
  ));
}

const words: Readonly<Record<Bulk["state"], string>> = {
  RUNNING: "goes on",
  COMPLETED: "is done",
  STOPPED: "was stopped",
};

function Progress({ bulk, closed }: { readonly bulk: Bulk; readonly closed: string }) {
  const { bulkId, kind, state, runs, done, refused, refusals, reason, rate, startedAt } = bulk;
  const name = kind.charAt(0) + kind.slice(1).toLowerCase();
  const [isOpen, setOpen] = useState(false);
  const stop: Action = {
    name: "Stop",
    tells: "The runs that it has not come to are left as they are; what it did stays done.",
    isDangerous: true,
    method: "sidestep.v1.Runs/StopBulk",
    request: (given) => ({ bulkId, reason: given.reason }),
    reason: "Reason",
    done: `${name} was stopped.`,
  };
  return (
    <section className="card bulk stack tight" aria-label={`${name} many runs`}>
      <div className="row">
        <strong>
          {name} {words[state]}
        </strong>
        <span className="muted grow cut" title={reason}>
          {reason === "" ? "" : `“${reason}”, `}begun <When at={startedAt} />, {rate} a second
        </span>
        {state === "RUNNING" ? (
          <ActButton method={stop.method} className="small danger" onClick={() => setOpen(true)}>
            Stop
          </ActButton>
        ) : (
          <Link className="button small" href={closed} replace>
            Close
          </Link>
        )}
      </div>
      {isOpen ? <ActionDialog action={stop} onClose={() => setOpen(false)} /> : undefined}
      <progress value={done + refused} max={Math.max(runs, done + refused, 1)} aria-label="Progress" />
      <p role="status">
        {done} done, {refused} refused, of {runs}.
      </p>
      {refusals.map((one) => (
        <p key={`${one.reason} ${one.runId}`} className="muted">
          {one.runs} <code>{one.reason}</code> {one.message} <RunLink runId={one.runId} />
        </p>
      ))}
    </section>
  );
}
