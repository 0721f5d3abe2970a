import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import { list, number, text, time, truth } from "../api/json.ts";
import type { JsonObject } from "../api/json.ts";
import { useLiveLists } from "../api/live.ts";
import { Link } from "../navigation.tsx";
import { Empty, Failure, RunLink, When, WorkflowLink } from "../parts/pieces.tsx";
import { toHref } from "../route.ts";

/** Open incidents, those that are about the same in one row. */
export function IncidentsPage() {
  useLiveLists(1_000, ["sidestep.v1.Runs/ListIncidents"]);
  const { value, error, isLoading } = useAnswer("sidestep.v1.Runs/ListIncidents", { pageSize: 1000 });
  const groups = useMemo(() => (value === undefined ? [] : list(value, "groups", toGroup)), [value]);
  return (
    <>
      <div className="pagehead">
        <h1>Incidents</h1>
        <p className="muted pad">Runs that stand still until a person decides.</p>
      </div>
      {error === undefined ? undefined : <Failure error={error} />}
      <div className="card scroll">
        {groups.length === 0 && !isLoading && error === undefined ? (
          <Empty title="Nothing needs a person">No run has an open incident.</Empty>
        ) : (
          <table>
            <thead>
              <tr>
                <th>Workflow</th>
                <th>Step</th>
                <th>What failed</th>
                <th className="number">Runs</th>
                <th>Since</th>
                <th>One of them</th>
              </tr>
            </thead>
            <tbody>
              {groups.map((group) => (
                <tr key={[group.workflow, group.step, group.compensation, group.code, group.reason].join()}>
                  <td>
                    <WorkflowLink workflow={group.workflow} />
                  </td>
                  <td>
                    <code>{group.step}</code>
                    {group.compensation ? <div className="muted small-text">compensation</div> : undefined}
                  </td>
                  <td>
                    <code>{group.code}</code> {group.message}
                    <div className="muted small-text">{reasons[group.reason] ?? group.reason}</div>
                  </td>
                  <td className="number">
                    <Link
                      href={toHref({ page: "runs" }, { q: filterOf(group) })}
                      aria-label={`Show the ${group.runs} runs`}
                    >
                      {group.runs.toLocaleString("en")}
                    </Link>
                  </td>
                  <td>
                    <When at={group.oldest} />
                  </td>
                  <td>
                    <RunLink runId={group.runId} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </>
  );
}

const reasons: Readonly<Record<string, string>> = {
  EXHAUSTED: "all attempts failed",
  IN_DOUBT: "in doubt: it may have been carried out",
  COMMAND_REJECTED: "the task could not be written",
};

interface Group {
  readonly workflow: string;
  readonly step: string;
  readonly compensation: boolean;
  readonly code: string;
  readonly reason: string;
  readonly runs: number;
  readonly oldest: number | undefined;
  readonly message: string;
  readonly runId: string;
}

function toGroup(json: JsonObject): Group {
  return {
    workflow: text(json, "workflow"),
    step: text(json, "step"),
    compensation: truth(json, "compensation"),
    code: text(json, "code") || "OK",
    reason: text(json, "reason"),
    runs: number(json, "runs"),
    oldest: time(json, "oldest"),
    message: text(json, "message"),
    runId: text(json, "runId"),
  };
}

function filterOf({ workflow, code }: Group): string {
  return `incidents > 0 && workflow == ${JSON.stringify(workflow)} && code == ${code}`;
}
