import type { AuditEntry, AuditOutcome } from "../api/audit.ts";
import { Link, useAddress, withQuery } from "../navigation.tsx";
import { instantText } from "../parts/clock.ts";
import { Chip, Empty, Failure, RunLink, When, WorkflowLink } from "../parts/pieces.tsx";
import type { Look } from "../parts/states.ts";
import { toHref } from "../route.ts";
import { useAudit } from "./useAudit.ts";
import type { AuditQuery } from "./useAudit.ts";

/** What is in the audit of that, newest first. */
export function AuditTable({ query }: { readonly query: AuditQuery }) {
  const { entries, hasMore, isLoading, error, readOlder, readAgain } = useAudit(query);
  const oldest = entries.at(-1)?.at;
  return (
    <>
      {error === undefined ? undefined : <Failure error={error} />}
      <div className="card scroll" aria-busy={isLoading && entries.length === 0}>
        {entries.length === 0 ? (
          isLoading || error !== undefined ? (
            <div className="skeleton" style={{ height: 160 }} />
          ) : (
            <Empty title={hasMore ? "Nothing like that among the newest" : "Nothing like that is in the audit"}>
              {hasMore ? undefined : "What starts and signals runs is in their histories alone."}
            </Empty>
          )
        ) : (
          <table>
            <thead>
              <tr>
                <th>When</th>
                <th>Who</th>
                <th>Did</th>
                <th>To</th>
                <th>Why</th>
                <th>Outcome</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Row key={entry.id} entry={entry} />
              ))}
            </tbody>
          </table>
        )}
      </div>
      <div className="row below">
        {hasMore ? (
          <button type="button" onClick={readOlder} disabled={isLoading}>
            Older ones
          </button>
        ) : undefined}
        <button type="button" className="bare" onClick={readAgain} disabled={isLoading}>
          Look again
        </button>
        <span className="muted" role="status">
          {isLoading ? "Looking…" : told(entries.length, hasMore, oldest)}
        </span>
      </div>
    </>
  );
}

function told(found: number, hasMore: boolean, oldest: number | undefined): string {
  const many = `${found.toLocaleString("en")} ${found === 1 ? "entry" : "entries"}`;
  return hasMore && oldest !== undefined
    ? `${many}, back to ${instantText(oldest).slice(0, 19)}`
    : `${many}${hasMore ? " so far" : ""}`;
}

function Row({ entry }: { readonly entry: AuditEntry }) {
  const { at, actor, role, method, reason } = entry;
  const address = useAddress();
  return (
    <tr>
      <td className="nowrap">
        <When at={at} />
        {at === undefined ? undefined : <div className="muted small-text">{instantText(at).slice(0, 19)}</div>}
      </td>
      <td>
        {actor === "" ? (
          <span className="muted">not said</span>
        ) : (
          <Link href={withQuery(address, { actor })} title={`Only what ${actor} did`}>
            {actor}
          </Link>
        )}
        {role === "" ? undefined : <div className="muted small-text">{role}</div>}
      </td>
      <td>
        <code title={method}>{shortName(method)}</code>
      </td>
      <td className="name">
        <Target entry={entry} />
      </td>
      <td>{reason === "" ? <span className="muted">no reason given</span> : reason}</td>
      <td>
        <Outcome entry={entry} />
      </td>
    </tr>
  );
}

function shortName(method: string): string {
  return method.slice(method.lastIndexOf("/") + 1);
}

/** What it was about, with the way there. */
function Target({ entry: { method, target } }: { readonly entry: AuditEntry }) {
  switch (shortName(method)) {
    case "Deploy":
      return target
        .split(", ")
        .filter((it) => it !== "")
        .map((workflow) => (
          <div key={workflow}>
            <WorkflowLink workflow={workflow} />
          </div>
        ));
    case "StartBulk":
      return (
        <Link className="mono" href={toHref({ page: "runs" }, { q: target })}>
          {target === "" ? "all runs" : target}
        </Link>
      );
    case "StopBulk":
      return (
        <Link className="mono" href={toHref({ page: "runs" }, { bulk: target })}>
          {target}
        </Link>
      );
    default:
      return /^[0-9a-f]{32}$/.test(target) ? <RunLink runId={target} /> : <span className="mono">{target}</span>;
  }
}

const looks: Readonly<Record<AuditOutcome, Look>> = {
  DONE: { word: "done", tone: "done", icon: "check" },
  FAILED: { word: "failed", tone: "failed", icon: "cross" },
  REFUSED: { word: "refused", tone: "warned", icon: "lock" },
  OUTCOME_UNSPECIFIED: { word: "not known", tone: "waiting", icon: "clock" },
};

function Outcome({ entry: { outcome, code, errorReason, message, times, lastAt } }: { readonly entry: AuditEntry }) {
  const why = errorReason === "" ? code : errorReason;
  return (
    <>
      <Chip look={looks[outcome]} />
      {outcome === "OUTCOME_UNSPECIFIED" ? (
        <div className="muted small-text">It goes on, or was cut off; it may have been done.</div>
      ) : undefined}
      {times > 1 ? (
        <div className="muted small-text">
          {times.toLocaleString("en")} times, the last <When at={lastAt} />
        </div>
      ) : undefined}
      {why === "" ? undefined : (
        <div className="small-text">
          <code>{why}</code> <span className="muted">{message}</span>
        </div>
      )}
    </>
  );
}
