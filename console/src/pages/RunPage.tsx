import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import type { Answer } from "../api/ask.ts";
import { toDefinition } from "../api/definition.ts";
import type { Definition } from "../api/definition.ts";
import { object, text } from "../api/json.ts";
import { useStream } from "../api/live.ts";
import { hasEnded, toRun } from "../api/run.ts";
import type { Run } from "../api/run.ts";
import { Graph } from "../graph/Graph.tsx";
import type { Chosen } from "../graph/Graph.tsx";
import { overlay } from "../graph/overlay.ts";
import { Link, navigate, useAddress, withQuery } from "../navigation.tsx";
import { Empty, Failure } from "../parts/pieces.tsx";
import { RunActions } from "../run/RunActions.tsx";
import { RunHead } from "../run/RunHead.tsx";
import { RunHistory } from "../run/RunHistory.tsx";
import { RunPayloads } from "../run/RunPayloads.tsx";
import { StepPanel } from "../run/StepPanel.tsx";
import { Timeline } from "../run/Timeline.tsx";

const views = ["graph", "timeline", "history", "payloads"] as const;
type View = (typeof views)[number];
const viewNames: Readonly<Record<View, string>> = {
  graph: "Graph",
  timeline: "Timeline",
  history: "History",
  payloads: "Request and response",
};

/** One run: what it waits for, how it came there, and what can be done. */
export function RunPage({ runId }: { readonly runId: string }) {
  const { run, answer } = useRun(runId);
  const described = useAnswer(run === undefined || run.version === 0 ? undefined : "sidestep.v1.Definitions/Describe", {
    workflow: run?.workflow ?? "",
    version: run?.version ?? 0,
  });
  const definition = useMemo(
    () => (described.value === undefined ? undefined : toDefinition(described.value)),
    [described.value],
  );
  if (run === undefined) {
    if (answer.error === undefined) return <div className="skeleton" style={{ height: 320 }} aria-busy="true" />;
    return answer.error.code === "NOT_FOUND" ? (
      <Empty isPage title={`There is no run ${runId}`}>
        It may have been deleted when its retention was over.
      </Empty>
    ) : (
      <Failure error={answer.error} />
    );
  }
  return <Shown run={run} definition={definition} traceUrl={text(object(answer.value), "traceUrl")} />;
}

/** The run as it stands, followed while it goes on. */
function useRun(runId: string): { readonly run: Run | undefined; readonly answer: Answer } {
  const answer = useAnswer("sidestep.v1.Runs/Get", { runId });
  const first = useMemo(
    () => (answer.value === undefined ? undefined : toRun(object(answer.value["run"]))),
    [answer.value],
  );
  const isLive = first !== undefined && !hasEnded(first);
  const { message } = useStream(isLive ? "sidestep.v1.Runs/Watch" : undefined, { runId });
  const watched = useMemo(
    () => (message?.["run"] === undefined ? undefined : toRun(object(message["run"]))),
    [message],
  );
  return { run: watched ?? first, answer };
}

function Shown({
  run,
  definition,
  traceUrl,
}: {
  readonly run: Run;
  readonly definition: Definition | undefined;
  readonly traceUrl: string;
}) {
  const address = useAddress();
  const view = views.find((one) => one === address.searchParams.get("view")) ?? "graph";
  const chosen = toChosen(address);
  const choose = (next: Chosen | undefined): void =>
    navigate(
      withQuery(address, { step: next?.step, undo: next?.compensation === true ? "1" : undefined, pass: undefined }),
      "replace",
    );
  const marks = useMemo(
    () => (definition === undefined ? undefined : overlay(definition.steps, run.steps, hasEnded(run))),
    [definition, run],
  );
  return (
    <>
      <RunHead run={run} traceUrl={traceUrl} actions={<RunActions run={run} definition={definition} />} />
      <nav className="tabs" aria-label="Views of the run">
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
      <div className={`runview${chosen === undefined ? "" : " with-panel"}`}>
        <div className="grow">
          {view === "graph" ? (
            definition === undefined || marks === undefined ? (
              <div className="skeleton" style={{ height: 420 }} aria-busy="true" />
            ) : (
              <Graph
                steps={definition.steps}
                overlay={marks}
                chosen={chosen}
                onChoose={choose}
                title={`Steps of ${run.workflow}`}
              />
            )
          ) : undefined}
          {view === "timeline" ? <Timeline run={run} chosen={chosen} onChoose={choose} /> : undefined}
          {view === "history" ? <RunHistory run={run} /> : undefined}
          {view === "payloads" ? <RunPayloads run={run} /> : undefined}
        </div>
        {chosen === undefined ? undefined : (
          <StepPanel
            run={run}
            definition={definition}
            traceUrl={traceUrl}
            chosen={chosen}
            onClose={() => choose(undefined)}
          />
        )}
      </div>
    </>
  );
}

function toChosen(address: URL): Chosen | undefined {
  const step = address.searchParams.get("step");
  return step === null ? undefined : { step, compensation: address.searchParams.get("undo") !== null };
}
