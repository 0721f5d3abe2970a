import { useEffect } from "react";
import type { ReactNode } from "react";
import { refresh, useAnswer } from "../api/ask.ts";
import { object, text } from "../api/json.ts";
import { hasEnded } from "../api/run.ts";
import type { Run } from "../api/run.ts";
import { Copy, Notice, RunChip, RunLink, StatusText, When, WorkflowLink } from "../parts/pieces.tsx";
import { durationText, instantText, useNow } from "../parts/clock.ts";
import { Link } from "../navigation.tsx";
import { toHref } from "../route.ts";
import { useRefusal } from "../session/session.ts";
import { whyText } from "./why.ts";

/** What run this is, how it stands, and the one sentence that says what it waits for. */
export function RunHead({
  run,
  traceUrl,
  actions,
}: {
  readonly run: Run;
  /** Where its trace is shown; empty: nowhere that is known. */
  readonly traceUrl: string;
  readonly actions: ReactNode;
}) {
  const isLive = !hasEnded(run);
  const now = useNow(isLive);
  const took = run.startedAt === undefined ? undefined : (run.endedAt ?? now) - run.startedAt;
  const attributes = Object.entries(run.attributes);
  const seesAudit = useRefusal("sidestep.v1.Audit/List") === undefined;
  return (
    <header className="runhead">
      <div className="pagehead">
        <div className="grow stack tight">
          <h1 className="row">
            <WorkflowLink workflow={run.workflow} /> <RunChip state={run.state} held={run.held} />
          </h1>
          <div className="row muted facts">
            <span className="mono">{run.runId}</span>
            <Copy text={run.runId} what="the run's id" />
            {run.key === "" ? undefined : (
              <span>
                key <code>{run.key}</code>
              </span>
            )}
            <span>version {run.version}</span>
            {traceUrl === "" ? undefined : (
              <a href={traceUrl} target="_blank" rel="noreferrer">
                trace
              </a>
            )}
            {seesAudit ? <Link href={toHref({ page: "audit" }, { target: run.runId })}>audit</Link> : undefined}
            <span>
              started <When at={run.startedAt} />
            </span>
            {took === undefined ? undefined : (
              <span title={run.endedAt === undefined ? undefined : `ended ${instantText(run.endedAt)}`}>
                {isLive ? "for" : "took"} {durationText(took)}
              </span>
            )}
            {run.deadline === undefined || !isLive ? undefined : (
              <span>
                deadline <When at={run.deadline} />
              </span>
            )}
            {run.rerunOfRunId === "" ? undefined : (
              <span>
                in place of <RunLink runId={run.rerunOfRunId} />, from {run.rerunFromStep} on
              </span>
            )}
            {run.rerunAsRunId === "" ? undefined : (
              <span>
                goes on as <RunLink runId={run.rerunAsRunId} />
              </span>
            )}
            {run.scheduleId === "" ? undefined : (
              <span>
                started by <Link href={toHref({ page: "schedules" })}>{run.scheduleId}</Link> for{" "}
                <When at={run.scheduledFor} />
              </span>
            )}
            {run.parentRunId === "" ? undefined : (
              <span>
                child of <RunLink runId={run.parentRunId} />
              </span>
            )}
            {attributes.map(([name, value]) => (
              <span key={name}>
                {name} <code>{plain(value)}</code>
              </span>
            ))}
          </div>
        </div>
        {actions}
      </div>
      <Why run={run} now={now} />
    </header>
  );
}

const explainedAnewMs = 15_000;

function Why({ run, now }: { readonly run: Run; readonly now: number }) {
  const explained = useAnswer(hasEnded(run) ? undefined : "sidestep.v1.Runs/Explain", { runId: run.runId });
  const standing = stamp(run);
  // It says how long something has lasted, too.
  const quarter = Math.floor(now / explainedAnewMs);
  useEffect(() => refresh("sidestep.v1.Runs/Explain"), [standing, quarter]);
  if (hasEnded(run)) {
    if (run.status === undefined || run.status.code === "OK") return undefined;
    return (
      <Notice
        tone={
          run.state === "COMPENSATED"
            ? "warned"
            : run.state === "CANCELLED" || run.state === "TERMINATED"
              ? "idle"
              : "failed"
        }
        icon="cross"
      >
        <StatusText status={run.status} />
      </Notice>
    );
  }
  const sentence = text(object(explained.value), "sentence") || whyText(run, now);
  const isStuck = run.state === "PAUSED" || run.state === "CORRUPT";
  return (
    <Notice tone={isStuck ? "failed" : run.held ? "waiting" : "running"} icon={isStuck ? "warning" : "clock"}>
      <strong>{sentence}</strong>
    </Notice>
  );
}

/** What makes the sentence another one. */
function stamp(run: Run): string {
  return run.steps.map(({ path, state, attempt }) => `${path} ${state} ${attempt}`).join();
}

/** Attributes come in their JSON form. */
function plain(value: string): string {
  return /^".*"$/.test(value) ? value.slice(1, -1) : value;
}
