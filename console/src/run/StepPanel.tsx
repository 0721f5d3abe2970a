import type { ReactNode } from "react";
import type { Definition } from "../api/definition.ts";
import type { Json } from "../api/json.ts";
import { isFitting } from "../api/run.ts";
import type { HistoryEvent, Run, Step } from "../api/run.ts";
import { allSteps, shownName } from "../graph/definition.ts";
import type { DefinedStep } from "../graph/definition.ts";
import type { Chosen } from "../graph/Graph.tsx";
import { nameOf } from "../graph/overlay.ts";
import { navigate, useAddress, withQuery } from "../navigation.tsx";
import { durationText, instantText } from "../parts/clock.ts";
import { JsonView } from "../parts/JsonView.tsx";
import { RunLink, StatusText, StepChip, When } from "../parts/pieces.tsx";
import { IncidentActions } from "./IncidentActions.tsx";
import { RetryNow } from "./RetryNow.tsx";
import { useHistory } from "./useHistory.ts";

interface StepPanelProps {
  readonly run: Run;
  readonly definition: Definition | undefined;
  readonly chosen: Chosen;
  readonly onClose: () => void;
}

/** One step: its state, its attempts, what it sent and got, and what stands in its definition. */
export function StepPanel({ run, definition, chosen, onClose }: StepPanelProps) {
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
          <Standing run={run} definition={definition} step={step} />
        )}
        {defined === undefined ? undefined : <Written defined={defined} step={step} />}
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

function Standing({
  run,
  definition,
  step,
}: {
  readonly run: Run;
  readonly definition: Definition | undefined;
  readonly step: Step;
}) {
  const { events } = useHistory(run);
  const own = events.filter((event) => event.step === step.path && event.compensation === step.compensation);
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
        {step.maybeExecuted ? <Pair name="in doubt">it may have been carried out</Pair> : undefined}
        {run.traceId === "" ? undefined : (
          <Pair name="trace">
            <code>{run.traceId}</code>
          </Pair>
        )}
      </dl>
      {incident === undefined ? undefined : (
        <IncidentActions run={run} incident={incident} step={step} definition={definition} />
      )}
      {step.state === "BACKING_OFF" && isFitting(run, "RETRY", step.path) ? (
        <RetryNow run={run} step={step} />
      ) : undefined}
      <Attempts events={own} />
      {step.lastError === undefined ? undefined : (
        <Section title="Last error">
          <StatusText status={step.lastError} />
        </Section>
      )}
      {step.result === undefined ? undefined : (
        <Section title="Result">
          <JsonView value={step.result} label={step.resultType || "result"} />
        </Section>
      )}
      {step.resultBytes > 0 ? (
        <p className="muted">Its result of {step.resultBytes} bytes is kept apart.</p>
      ) : undefined}
    </>
  );
}

function Attempts({ events }: { readonly events: readonly HistoryEvent[] }) {
  const failed = events.filter(({ kind }) => kind === "ATTEMPT_FAILED" || kind === "ATTEMPT_EXPIRED");
  if (failed.length === 0) return undefined;
  return (
    <Section title="Attempts that failed">
      <ol className="attempts">
        {failed.map((event) => (
          <li key={event.sequence}>
            <span className="muted">
              #{event.attempt} · <When at={event.time} />
            </span>
            {event.status === undefined ? (
              <span>no outcome came</span>
            ) : (
              <span>
                <code>{event.status.code}</code> {event.status.message}
              </span>
            )}
          </li>
        ))}
      </ol>
    </Section>
  );
}

/** The definition's lines, each expression beside the value it had. */
function Written({ defined, step }: { readonly defined: DefinedStep; readonly step: Step | undefined }) {
  if (defined.settings.length === 0) return undefined;
  return (
    <Section title="Definition">
      <dl className="written">
        {defined.settings.map(({ name, text, expression }) => {
          const value = valueOf(name, defined, step);
          return (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                {expression ? <pre className="code">{text}</pre> : <code>{text}</code>}
                {value === undefined ? undefined : (
                  <pre className="code value" aria-label={`value of ${name}`}>
                    {JSON.stringify(value, undefined, 2)}
                  </pre>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
    </Section>
  );
}

function valueOf(name: string, defined: DefinedStep, step: Step | undefined): Json | undefined {
  if (step === undefined) return undefined;
  if (name === "when") return step.state !== "SKIPPED";
  if (name === "collect" || (name === "value" && defined.kind === "let")) return step.result;
  return name === "lock" && step.lock !== "" ? step.lock : undefined;
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
