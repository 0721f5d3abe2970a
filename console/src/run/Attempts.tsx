import type { Attempt, AttemptResult } from "../api/step.ts";
import type { HistoryEvent, Run, Step } from "../api/run.ts";
import { durationText, instantText } from "../parts/clock.ts";
import { JsonView } from "../parts/JsonView.tsx";
import { Chip, StatusText, When } from "../parts/pieces.tsx";
import { stepLooks } from "../parts/states.ts";
import type { Look } from "../parts/states.ts";
import { useHistory } from "./useHistory.ts";

/** What a call sent, and each of its attempts with what came of it. */
export function Attempts({ attempts }: { readonly attempts: readonly Attempt[] }) {
  const last = attempts.findLast(({ verify }) => !verify);
  if (last === undefined) return undefined;
  return (
    <>
      <section className="stack tight">
        <h3>Request</h3>
        <Request attempt={last} />
      </section>
      <section className="stack tight">
        <h3>Attempts</h3>
        <ol className="attempts">
          {attempts.map((attempt, at) => (
            <One
              key={`${attempt.attempt} ${attempt.verify} ${attempt.askedAt}`}
              attempt={attempt}
              showsRequest={attempt !== last && isOther(attempt, attempts[at + 1])}
            />
          ))}
        </ol>
      </section>
    </>
  );
}

const looks: Readonly<Record<AttemptResult, Look>> = {
  UNDER_WAY: { ...stepLooks.RUNNING, word: "under way" },
  COMPLETED: stepLooks.COMPLETED,
  FAILED: stepLooks.FAILED,
  IN_DOUBT: { ...stepLooks.PAUSED, word: "in doubt" },
  EXPIRED: { ...stepLooks.FAILED, word: "no outcome came" },
};

function One({ attempt, showsRequest }: { readonly attempt: Attempt; readonly showsRequest: boolean }) {
  const { askedAt, beganAt, endedAt, sidecar, peer, status } = attempt;
  const waited = askedAt === undefined || beganAt === undefined ? undefined : Math.max(0, beganAt - askedAt);
  const took = beganAt === undefined || endedAt === undefined ? undefined : Math.max(0, endedAt - beganAt);
  return (
    <li>
      <span className="row">
        <span className="muted">#{attempt.attempt}</span>
        <Chip look={looks[attempt.result]} />
        {attempt.verify ? (
          <span>
            asked with <code>{attempt.method}</code>
          </span>
        ) : undefined}
        {took === undefined ? undefined : <span>{durationText(took)}</span>}
        <span className="muted" title={askedAt === undefined ? undefined : instantText(askedAt)}>
          <When at={askedAt} />
          {waited === undefined ? undefined : `, taken after ${durationText(waited)}`}
        </span>
      </span>
      {sidecar === "" && peer === "" ? undefined : (
        <span className="muted small-text">
          {[sidecar === "" ? "" : `by ${sidecar}`, peer === "" ? "" : `at ${peer}`].filter((it) => it !== "").join(" ")}
        </span>
      )}
      {status === undefined || status.code === "OK" ? undefined : <StatusText status={status} />}
      {showsRequest ? <Request attempt={attempt} /> : undefined}
    </li>
  );
}

function Request({ attempt }: { readonly attempt: Attempt }) {
  const { request, requestType, requestBytes } = attempt;
  if (requestBytes > 0) return <p className="muted">It has {requestBytes} bytes and is kept apart.</p>;
  return <JsonView value={request ?? {}} label={requestType || "request"} />;
}

/** The next one sent something else: a person has given another request. */
function isOther(attempt: Attempt, next: Attempt | undefined): boolean {
  return (
    next !== undefined &&
    next.method === attempt.method &&
    JSON.stringify(next.request) !== JSON.stringify(attempt.request)
  );
}

/** What the history alone tells: of a run that only the archive has. */
export function ArchivedAttempts({ run, step }: { readonly run: Run; readonly step: Step }) {
  const { events } = useHistory(run);
  const failed = events.filter(
    (event) => event.step === step.path && event.compensation === step.compensation && isFailure(event),
  );
  if (failed.length === 0) return undefined;
  return (
    <section className="stack tight">
      <h3>Attempts that failed</h3>
      <ol className="attempts">
        {failed.map((event) => (
          <li key={event.sequence}>
            <span className="muted">
              #{event.attempt} · <When at={event.time} />
            </span>
            {event.status === undefined ? <span>no outcome came</span> : <StatusText status={event.status} />}
          </li>
        ))}
      </ol>
    </section>
  );
}

function isFailure({ kind }: HistoryEvent): boolean {
  return kind === "ATTEMPT_FAILED" || kind === "ATTEMPT_EXPIRED";
}
