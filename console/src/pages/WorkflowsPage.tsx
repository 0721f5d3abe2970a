import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import { toWorkflow } from "../api/definition.ts";
import { list } from "../api/json.ts";
import { Empty, Failure, When, WorkflowLink } from "../parts/pieces.tsx";
import { Link } from "../navigation.tsx";
import { toHref } from "../route.ts";
import { failedOf, liveOf, totalOf, useCounts } from "../parts/counts.ts";

/** All workflows that are deployed, and how their runs go. */
export function WorkflowsPage() {
  const answer = useAnswer("sidestep.v1.Definitions/List");
  const workflows = useMemo(
    () => (answer.value === undefined ? [] : list(answer.value, "workflows", toWorkflow)),
    [answer.value],
  );
  const { counts } = useCounts("");
  return (
    <>
      <div className="pagehead">
        <h1>Workflows</h1>
      </div>
      {answer.error === undefined ? undefined : <Failure error={answer.error} />}
      <div className="card scroll">
        {workflows.length === 0 && !answer.isLoading ? (
          <Empty title="Nothing is deployed yet">
            <code>sidestep deploy proto</code>
          </Empty>
        ) : (
          <table>
            <thead>
              <tr>
                <th>Workflow</th>
                <th>Version</th>
                <th>Deployed</th>
                <th className="number">Runs</th>
                <th className="number">Live</th>
                <th className="number">Failed</th>
                <th>Calls</th>
              </tr>
            </thead>
            <tbody>
              {workflows.map((one) => {
                const own = counts.filter(({ workflow }) => workflow === one.workflow);
                const active = one.versions.find(({ version }) => version === one.activeVersion);
                return (
                  <tr key={one.workflow}>
                    <td className="name">
                      <WorkflowLink workflow={one.workflow} />
                      <div className="muted mono small-text">{one.workflow}</div>
                    </td>
                    <td>
                      {one.activeVersion === 0 ? (
                        <span className="muted">retired</span>
                      ) : (
                        `${one.activeVersion} of ${one.versions.length}`
                      )}
                    </td>
                    <td>
                      <When at={active?.deployedAt} />
                    </td>
                    <td className="number">
                      <Link href={toHref({ page: "runs" }, { q: `workflow == "${one.workflow}"` })}>
                        {totalOf(own).toLocaleString("en")}
                      </Link>
                    </td>
                    <td className="number">{liveOf(own).toLocaleString("en")}</td>
                    <td className="number">{failedOf(own).toLocaleString("en")}</td>
                    <td className="muted small-text">
                      {active?.methods.map((method) => method.slice(method.lastIndexOf(".") + 1)).join(", ")}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        )}
      </div>
    </>
  );
}
