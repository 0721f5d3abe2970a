import { useState } from "react";
import type { FormEvent } from "react";
import { auditOutcomes } from "../api/audit.ts";
import type { AuditOutcome } from "../api/audit.ts";
import { AuditTable } from "../audit/AuditTable.tsx";
import type { AuditQuery } from "../audit/useAudit.ts";
import { Link, navigate, useAddress, withQuery } from "../navigation.tsx";
import { Notice } from "../parts/pieces.tsx";
import { toHref } from "../route.ts";
import { useRefusal } from "../session/session.ts";

/** Who did what, when, why, and with which outcome; what was refused among it. */
export function AuditPage() {
  const address = useAddress();
  const refusal = useRefusal("sidestep.v1.Audit/List");
  const query = toQuery(address.searchParams);
  const key = JSON.stringify(query);
  return (
    <>
      <div className="pagehead">
        <h1>Audit</h1>
        <p className="muted pad">Who did what, and who was refused.</p>
      </div>
      {refusal === undefined ? (
        <>
          <Filter key={`filter ${key}`} query={query} />
          <AuditTable key={key} query={query} />
        </>
      ) : (
        <Notice tone="warned" icon="lock">
          {refusal}.
        </Notice>
      )}
    </>
  );
}

function toQuery(asked: URLSearchParams): AuditQuery {
  const outcome = asked.get("outcome");
  return {
    actor: asked.get("actor") ?? "",
    method: asked.get("method") ?? "",
    target: asked.get("target") ?? "",
    outcome: auditOutcomes.find((one) => one === outcome) ?? "OUTCOME_UNSPECIFIED",
  };
}

/** Names of what leaves an entry. */
const methods = [
  "Cancel",
  "Terminate",
  "Pause",
  "Resume",
  "Retry",
  "Fail",
  "Skip",
  "Patch",
  "Compensate",
  "Rerun",
  "Migrate",
  "Delete",
  "Decide",
  "Create",
  "Trigger",
  "Backfill",
  "RetryParked",
  "DropParked",
  "StartBulk",
  "StopBulk",
  "Hold",
  "Release",
  "SetLimit",
  "ClearLimit",
  "DrainSidecar",
  "ResumeSidecar",
  "Deploy",
  "Export",
  "Import",
  "RebuildIndex",
];

const outcomeNames: Readonly<Record<AuditOutcome, string>> = {
  OUTCOME_UNSPECIFIED: "Any",
  DONE: "Done",
  FAILED: "Failed",
  REFUSED: "Refused",
};

function Filter({ query }: { readonly query: AuditQuery }) {
  const address = useAddress();
  const [typed, setTyped] = useState(query);
  const apply = (event: FormEvent): void => {
    event.preventDefault();
    const outcome = typed.outcome === "OUTCOME_UNSPECIFIED" ? undefined : typed.outcome;
    const { actor, method, target } = typed;
    navigate(withQuery(address, { actor: actor.trim(), method: method.trim(), target: target.trim(), outcome }));
  };
  const isAll = Object.values(toQuery(new URLSearchParams())).join() === Object.values(query).join();
  return (
    <form className="row auditfilter" role="search" aria-label="Filter of the audit" onSubmit={apply}>
      <label className="field">
        <span className="name">Who</span>
        <input
          type="text"
          data-search
          value={typed.actor}
          placeholder="a name"
          onChange={(event) => setTyped({ ...typed, actor: event.target.value })}
        />
      </label>
      <label className="field">
        <span className="name">Did</span>
        <input
          type="text"
          list="audit-methods"
          value={typed.method}
          placeholder="Cancel, Deploy …"
          onChange={(event) => setTyped({ ...typed, method: event.target.value })}
        />
        <datalist id="audit-methods">
          {methods.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </label>
      <label className="field grow">
        <span className="name">To</span>
        <input
          type="text"
          className="mono"
          value={typed.target}
          placeholder="a run's whole id, a sidecar, a workflow, a service"
          onChange={(event) => setTyped({ ...typed, target: event.target.value })}
        />
      </label>
      <label className="field">
        <span className="name">Outcome</span>
        <select
          value={typed.outcome}
          onChange={(event) =>
            setTyped({ ...typed, outcome: auditOutcomes.find((one) => one === event.target.value) ?? typed.outcome })
          }
        >
          {auditOutcomes.map((outcome) => (
            <option key={outcome} value={outcome}>
              {outcomeNames[outcome]}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" className="primary">
        Filter
      </button>
      {isAll ? undefined : (
        <Link className="button" href={toHref({ page: "audit" })}>
          All
        </Link>
      )}
    </form>
  );
}
