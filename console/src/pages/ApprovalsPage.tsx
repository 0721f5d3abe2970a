import { useMemo, useState } from "react";
import { useAnswer } from "../api/ask.ts";
import { toDefinition } from "../api/definition.ts";
import { list, object } from "../api/json.ts";
import { useLiveLists } from "../api/live.ts";
import { toApproval, toRun } from "../api/run.ts";
import type { Approval, Run } from "../api/run.ts";
import { Empty, Failure, RunLink, When, WorkflowLink } from "../parts/pieces.tsx";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import { ActButton } from "../session/ActButton.tsx";

const most = 200;

/** What waits for a decision of a person, with the form that goes with it. */
export function ApprovalsPage() {
  useLiveLists(1_000, ["sidestep.v1.Runs/List"]);
  const { value, error, isLoading } = useAnswer("sidestep.v1.Runs/List", { filter: "approvals > 0", pageSize: most });
  const runs = useMemo(
    () => (value === undefined ? [] : list(value, "runs", (one) => toRun(object(one["run"])))),
    [value],
  );
  return (
    <>
      <div className="pagehead">
        <h1>Approvals</h1>
        <p className="muted pad">Runs that wait for a decision.</p>
      </div>
      {error === undefined ? undefined : <Failure error={error} />}
      {runs.length === 0 && !isLoading && error === undefined ? (
        <div className="card">
          <Empty title="Nothing waits for a decision" />
        </div>
      ) : undefined}
      <ul className="stack">
        {runs.map((run) => (
          <Waiting key={run.runId} run={run} />
        ))}
      </ul>
    </>
  );
}

function Waiting({ run }: { readonly run: Run }) {
  const { value } = useAnswer("sidestep.v1.Runs/ListApprovals", { runId: run.runId });
  const approvals = useMemo(() => (value === undefined ? [] : list(value, "approvals", toApproval)), [value]);
  return approvals.map((approval) => <Card key={approval.step} run={run} approval={approval} />);
}

function Card({ run, approval }: { readonly run: Run; readonly approval: Approval }) {
  const [open, setOpen] = useState<"approve" | "reject">();
  const wantsForm = open === "approve" && approval.type !== "";
  const described = useAnswer(wantsForm ? "sidestep.v1.Definitions/Describe" : undefined, {
    workflow: run.workflow,
    version: run.version,
  }).value;
  const descriptors = useMemo(
    () => (described === undefined ? undefined : toDefinition(described).descriptors),
    [described],
  );
  return (
    <li className="card approval">
      <header>
        <h2 className="grow">{approval.title || approval.step}</h2>
        <ActButton method="sidestep.v1.Runs/Decide" className="danger" onClick={() => setOpen("reject")}>
          Reject
        </ActButton>
        <ActButton method="sidestep.v1.Runs/Decide" className="primary" onClick={() => setOpen("approve")}>
          Approve
        </ActButton>
      </header>
      <div className="in stack tight">
        {approval.detail === "" ? undefined : <p>{approval.detail}</p>}
        <div className="row muted facts">
          <WorkflowLink workflow={run.workflow} /> <RunLink runId={run.runId} />
          <span>
            asked <When at={approval.since} />
          </span>
          {approval.due === undefined ? undefined : (
            <span>
              due <When at={approval.due} />
            </span>
          )}
          {approval.approvers.length === 0 ? undefined : <span>for {approval.approvers.join(" or ")} to decide</span>}
        </div>
      </div>
      {open === undefined || (wantsForm && descriptors === undefined) ? undefined : (
        <Decision
          run={run}
          approval={approval}
          isApproved={open === "approve"}
          descriptors={descriptors}
          onClose={() => setOpen(undefined)}
        />
      )}
    </li>
  );
}

function Decision({
  run,
  approval,
  isApproved,
  descriptors,
  onClose,
}: {
  readonly run: Run;
  readonly approval: Approval;
  readonly isApproved: boolean;
  readonly descriptors: string | undefined;
  readonly onClose: () => void;
}) {
  const [by, setBy] = useState(() => localStorage.getItem("sidestep.by") ?? "");
  const name = (next: string): void => {
    setBy(next);
    localStorage.setItem("sidestep.by", next);
  };
  const action: Action = {
    name: isApproved ? "Approve" : "Reject",
    tells: approval.title || approval.step,
    isDangerous: !isApproved,
    method: "sidestep.v1.Runs/Decide",
    request: ({ reason, message }) => ({
      runId: run.runId,
      step: approval.step,
      approved: isApproved,
      form: message,
      by,
      comment: reason,
    }),
    form: descriptors === undefined ? undefined : { descriptors, type: approval.type },
    reason: "Comment",
    done: isApproved ? "It was approved." : "It was rejected.",
  };
  return (
    <ActionDialog action={action} onClose={onClose}>
      <label className="field">
        <span className="name">Who decides</span>
        <input type="text" value={by} onChange={(event) => name(event.target.value)} />
      </label>
    </ActionDialog>
  );
}
