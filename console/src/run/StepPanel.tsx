import { useEffect, useMemo } from "react";
import type { ReactNode } from "react";
import { refresh, useAnswer } from "../api/ask.ts";
import type { Definition } from "../api/definition.ts";
import { isFitting } from "../api/run.ts";
import type { Run, Step } from "../api/run.ts";
import { toStepDetails } from "../api/step.ts";
import type { StepDetails } from "../api/step.ts";
import { allSteps, shownName } from "../graph/definition.ts";
import type { Chosen } from "../graph/Graph.tsx";
import { nameOf } from "../graph/overlay.ts";
import { navigate, useAddress, withQuery } from "../navigation.tsx";
import { durationText, instantText } from "../parts/clock.ts";
import { JsonView } from "../parts/JsonView.tsx";
import { RunLink, StatusText, StepChip, When } from "../parts/pieces.tsx";
import { ArchivedAttempts, Attempts } from "./Attempts.tsx";
import { IncidentActions } from "./IncidentActions.tsx";
import { Rerun } from "./Rerun.tsx";
import { RetryNow } from "./RetryNow.tsx";
import { WrittenValues } from "./WrittenValues.tsx";

interface StepPanelProps {
  readonly run: Run;
  readonly definition: Definition | undefined;
  /** Where the run's trace is shown; empty: nowhere that is known. */
  readonly traceUrl: string;
  readonly chosen: Chosen;
  readonly onClose: () => void;
}

/** One step: its state, its attempts, what it sent and got, and what stands in its definition. */
export function StepPanel({ run, definition, traceUrl, chosen, onClose }: StepPanelProps) {
  const address = useAddress();
  const passes = run.steps.filter(
    ({ path, compensation }) => nameOf(path) === chosen.step && compensation === chosen.compensation,
  );
  const wanted = address.searchParams.get("pass");
  const step =
    passes.find(({ path }) => path === wanted) ??
    passes.find(({ state }) => ["PAUSED", "FAILED", "BACKING_OFF", "RUNNING"].includes(state)) ??
    passes[0];
  const written =
    definition === undefined ? undefined : allSteps(definition.steps).find(({ name }) => name === chosen.step);
  const defined = chosen.compensation ? written?.compensation : written;
  const details = useDetails(run.runId, step);
  return (
    <aside className="card panel" aria-label={`Step ${chosen.step}`}>
      <header>
        <h2 className="grow cut" title={chosen.step}>
          {chosen.compensation ? "Undo " : ""}
          {written === undefined ? chosen.step : shownName(written)}
        </h2>
        {step === undefined ? undefined : <StepChip state={step.state} />}
        <button type="button" className="bare small" onClick={onClose} aria-label="Close the panel">
          ✕
        </button>
      </header>
      <div className="in stack">
        {passes.length > 1 ? (
          <Passes
            passes={passes}
            current={step}
            onPick={(path) => navigate(withQuery(address, { pass: path }), "replace")}
          />
        ) : undefined}
        {step === undefined ? (
          <p className="muted">It has not begun in this run.</p>
        ) : (
          <Standing run={run} definition={definition} traceUrl={traceUrl} step={step} details={details} />
        )}
        {defined === undefined ? undefined : (
          <WrittenValues
            defined={defined}
            step={step}
            expressions={details === "gone" ? [] : (details?.expressions ?? [])}
          />
        )}
      </div>
    </aside>
  );
}

function Passes({
  passes,
  current,
  onPick,
}: {
  readonly passes: readonly Step[];
  readonly current: Step | undefined;
  readonly onPick: (path: string) => void;
}) {
  return (
    <label className="field">
      <span className="name">{passes.length} passes</span>
      <select value={current?.path} onChange={(event) => onPick(event.target.value)}>
        {passes.map(({ path, state }) => (
          <option key={path} value={path}>
            {path} – {state.toLowerCase().replaceAll("_", " ")}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What the step sent, got and computed; "gone" when the log has the run no more. Undefined: not yet known. */
function useDetails(runId: string, step: Step | undefined): StepDetails | "gone" | undefined {
  const path = step?.path ?? "";
  const compensation = step?.compensation ?? false;
  const { value, error } = useAnswer(step === undefined ? undefined : "sidestep.v1.Runs/DescribeStep", {
    runId,
    step: path,
    compensation,
  });
  const standing = `${step?.state} ${step?.attempt}`;
  useEffect(() => refresh("sidestep.v1.Runs/DescribeStep"), [standing]);
  const details = useMemo(() => (value === undefined ? undefined : toStepDetails(value)), [value]);
  return error === undefined ? details : "gone";
}

function Standing({
  run,
  definition,
  traceUrl,
  step,
  details,
}: {
  readonly run: Run;
  readonly definition: Definition | undefined;
  readonly traceUrl: string;
  readonly step: Step;
  readonly details: StepDetails | "gone" | undefined;
}) {
  const took =
    step.startedAt === undefined || step.endedAt === undefined
      ? undefined
      : durationText(step.endedAt - step.startedAt);
  const incident = run.incidents.find((one) => one.step === step.path && one.compensation === step.compensation);
  return (
    <>
      <dl className="pairs">
        <Pair name="path">
          <code>{step.path}</code>
        </Pair>
        {step.method === "" ? undefined : (
          <Pair name="method">
            <code>{step.method}</code>
          </Pair>
        )}
        {step.startedAt === undefined ? undefined : (
          <Pair name="began">
            <span title={instantText(step.startedAt)}>
              <When at={step.startedAt} />
            </span>
          </Pair>
        )}
        {took === undefined ? undefined : <Pair name="took">{took}</Pair>}
        {step.nextAt === undefined ? undefined : (
          <Pair name="goes on">
            <When at={step.nextAt} />
          </Pair>
        )}
        {step.attempt === 0 ? undefined : <Pair name="attempts">{step.attempt}</Pair>}
        {step.lock === "" ? undefined : (
          <Pair name="lock">
            <code>{step.lock}</code>
          </Pair>
        )}
        {step.childRunId === "" ? undefined : (
          <Pair name="child run">
            <RunLink runId={step.childRunId} />
          </Pair>
        )}
        {step.takenOver ? <Pair name="taken over">it ran in the run in whose place this one goes on</Pair> : undefined}
        {step.maybeExecuted ? <Pair name="in doubt">it may have been carried out</Pair> : undefined}
        {run.traceId === "" ? undefined : (
          <Pair name="trace">
            {traceUrl === "" ? (
              <code>{run.traceId}</code>
            ) : (
              <a className="mono" href={traceUrl} target="_blank" rel="noreferrer">
                {run.traceId}
              </a>
            )}
          </Pair>
        )}
      </dl>
      {incident === undefined ? undefined : (
        <IncidentActions
          run={run}
          incident={incident}
          step={step}
          definition={definition}
          request={details === undefined || details === "gone" ? undefined : details.attempts.at(-1)?.request}
        />
      )}
      {step.state === "BACKING_OFF" && isFitting(run, "RETRY", step.path) ? (
        <RetryNow run={run} step={step} />
      ) : undefined}
      {!step.compensation && isFitting(run, "RERUN", step.path) ? <Rerun run={run} step={step} /> : undefined}
      {details === undefined ? undefined : details === "gone" ? (
        <ArchivedAttempts run={run} step={step} />
      ) : (
        <Attempts attempts={details.attempts} />
      )}
      {step.lastError === undefined || hasAttempts(details) ? undefined : (
        <Section title="Last error">
          <StatusText status={step.lastError} />
        </Section>
      )}
      {step.result === undefined || isCarried(step) ? undefined : (
        <Section title={step.kind === "call" ? "Response" : "Result"}>
          <JsonView value={step.result} label={step.resultType || "result"} />
        </Section>
      )}
      {step.resultBytes > 0 ? (
        <p className="muted">Its result of {step.resultBytes} bytes is kept apart.</p>
      ) : undefined}
    </>
  );
}

/** A loop's result is what it carries, and has a type of its own that nobody else knows: its values stand with their expressions. */
function isCarried({ kind, resultType }: Step): boolean {
  return kind === "loop" && resultType.startsWith("sidestep.plan.");
}

/** Each of them says how it ended. */
function hasAttempts(details: StepDetails | "gone" | undefined): boolean {
  return details !== undefined && details !== "gone" && details.attempts.length > 0;
}

function Section({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className="stack tight">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Pair({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
