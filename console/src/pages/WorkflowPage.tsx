import { useMemo, useState } from "react";
import { useAnswer } from "../api/ask.ts";
import { toDefinition, toWorkflow } from "../api/definition.ts";
import type { Definition, Workflow } from "../api/definition.ts";
import { object, text } from "../api/json.ts";
import { Graph } from "../graph/Graph.tsx";
import type { Chosen } from "../graph/Graph.tsx";
import { Link, navigate, useAddress, withQuery } from "../navigation.tsx";
import { failedOf, liveOf, totalOf, useCounts } from "../parts/counts.ts";
import { Empty, Failure, When } from "../parts/pieces.tsx";
import { toHref } from "../route.ts";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import { Source } from "../workflow/Source.tsx";
import { StepRates } from "../workflow/StepRates.tsx";
import { Versions } from "../workflow/Versions.tsx";
import { WrittenStep } from "../workflow/WrittenStep.tsx";
import { ActButton } from "../session/ActButton.tsx";

const views = ["graph", "source", "versions", "steps"] as const;
const viewNames = { graph: "Graph", source: "Source", versions: "Versions", steps: "Failures by step" } as const;

/** One workflow: what it does, which versions it had, how its runs go; and a form to start one. */
export function WorkflowPage({ workflow }: { readonly workflow: string }) {
  const got = useAnswer("sidestep.v1.Definitions/Get", { workflow });
  const known = useMemo(
    () => (got.value === undefined ? undefined : toWorkflow(object(got.value["workflow"]))),
    [got.value],
  );
  const address = useAddress();
  const version =
    Number(address.searchParams.get("version") ?? "0") ||
    (known?.activeVersion ?? 0) ||
    (known?.versions[0]?.version ?? 0);
  const described = useAnswer(version === 0 ? undefined : "sidestep.v1.Definitions/Describe", { workflow, version });
  const definition = useMemo(
    () => (described.value === undefined ? undefined : toDefinition(described.value)),
    [described.value],
  );
  if (known === undefined) {
    if (got.error === undefined) return <div className="skeleton" style={{ height: 320 }} aria-busy="true" />;
    return got.error.code === "NOT_FOUND" ? (
      <Empty isPage title={`There is no workflow ${workflow}`} />
    ) : (
      <Failure error={got.error} />
    );
  }
  const view = views.find((one) => one === address.searchParams.get("view")) ?? "graph";
  return (
    <>
      <Head workflow={known} version={version} definition={definition} />
      <nav className="tabs" aria-label="Views of the workflow">
        {views.map((one) => (
          <Link
            key={one}
            href={withQuery(address, { view: one === "graph" ? undefined : one })}
            aria-current={one === view ? "page" : undefined}
          >
            {viewNames[one]}
          </Link>
        ))}
      </nav>
      {described.error === undefined ? undefined : <Failure error={described.error} />}
      {view === "versions" ? (
        <Versions workflow={known} />
      ) : definition === undefined ? (
        <div className="skeleton" style={{ height: 420 }} aria-busy="true" />
      ) : undefined}
      {definition !== undefined && view === "graph" ? <GraphView definition={definition} /> : undefined}
      {definition !== undefined && view === "source" ? <Source definition={definition} /> : undefined}
      {definition !== undefined && view === "steps" ? <StepRates definition={definition} /> : undefined}
    </>
  );
}

function Head({
  workflow,
  version,
  definition,
}: {
  readonly workflow: Workflow;
  readonly version: number;
  readonly definition: Definition | undefined;
}) {
  const { counts } = useCounts(`workflow == "${workflow.workflow}"`);
  const address = useAddress();
  const deployedAt = workflow.versions.find((one) => one.version === version)?.deployedAt;
  return (
    <div className="pagehead">
      <div className="grow stack tight">
        <h1>{workflow.workflow.slice(workflow.workflow.lastIndexOf(".") + 1)}</h1>
        <div className="row muted facts">
          <span className="mono">{workflow.workflow}</span>
          <label className="row">
            version
            <select
              className="narrow"
              value={version}
              onChange={(event) =>
                navigate(
                  withQuery(address, {
                    version: event.target.value === String(workflow.activeVersion) ? undefined : event.target.value,
                  }),
                )
              }
            >
              {workflow.versions.map((one) => (
                <option key={one.version} value={one.version}>
                  {one.version}
                  {one.version === workflow.activeVersion ? " (active)" : ""}
                </option>
              ))}
            </select>
          </label>
          <span>
            deployed <When at={deployedAt} />
          </span>
          <Link href={toHref({ page: "runs" }, { q: `workflow == "${workflow.workflow}"` })}>
            {totalOf(counts).toLocaleString("en")} runs
          </Link>
          <span>{liveOf(counts)} live</span>
          <span>{failedOf(counts)} failed</span>
        </div>
      </div>
      {definition === undefined || workflow.activeVersion !== version ? undefined : (
        <StartButton definition={definition} />
      )}
    </div>
  );
}

function StartButton({ definition }: { readonly definition: Definition }) {
  const [isOpen, setOpen] = useState(false);
  const { workflow, descriptors, requestType } = definition;
  const action: Action = {
    name: "Start",
    tells: `Starts a run of ${workflow}, or joins the run of the same key.`,
    isDangerous: false,
    method: "sidestep.v1.Runs/Start",
    request: ({ message }) => ({ workflow, request: message }),
    form: { descriptors, type: requestType },
    done: "The run has started.",
    onDone: (answer) => navigate(toHref({ page: "run", runId: text(answer, "runId") })),
  };
  return (
    <>
      <ActButton method={action.method} className="primary" onClick={() => setOpen(true)}>
        Start a run
      </ActButton>
      {isOpen ? <ActionDialog action={action} onClose={() => setOpen(false)} /> : undefined}
    </>
  );
}

function GraphView({ definition }: { readonly definition: Definition }) {
  const address = useAddress();
  const step = address.searchParams.get("step");
  const chosen: Chosen | undefined =
    step === null ? undefined : { step, compensation: address.searchParams.get("undo") !== null };
  const choose = (next: Chosen | undefined): void =>
    navigate(withQuery(address, { step: next?.step, undo: next?.compensation === true ? "1" : undefined }), "replace");
  return (
    <div className={`runview${chosen === undefined ? "" : " with-panel"}`}>
      <div className="grow">
        <Graph steps={definition.steps} chosen={chosen} onChoose={choose} title={`Steps of ${definition.workflow}`} />
      </div>
      {chosen === undefined ? undefined : (
        <WrittenStep definition={definition} chosen={chosen} onClose={() => choose(undefined)} />
      )}
    </div>
  );
}
