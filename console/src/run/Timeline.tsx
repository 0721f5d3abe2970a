import { useMemo } from "react";
import type { HistoryEvent, Run, Step } from "../api/run.ts";
import { hasEnded } from "../api/run.ts";
import type { Chosen } from "../graph/Graph.tsx";
import { nameOf } from "../graph/overlay.ts";
import { Link, useAddress, withQuery } from "../navigation.tsx";
import { durationText, instantText, useNow } from "../parts/clock.ts";
import { Icon } from "../parts/pieces.tsx";
import { stepLooks } from "../parts/states.ts";
import { VirtualList } from "../parts/VirtualList.tsx";
import { timescale } from "./timescale.ts";
import type { Timescale } from "./timescale.ts";
import { useHistory } from "./useHistory.ts";

const rowHeight = 34;

interface TimelineProps {
  readonly run: Run;
  readonly chosen: Chosen | undefined;
  readonly onChoose: (chosen: Chosen | undefined) => void;
}

/** Steps as bars over time, attempts in them; times in which nothing happened are folded. */
export function Timeline({ run, chosen, onChoose }: TimelineProps) {
  const address = useAddress();
  const folds = address.searchParams.get("fold") !== "0";
  const { events } = useHistory(run);
  const now = useNow(!hasEnded(run));
  const scale = useMemo(() => scaleOf(run, events, now, folds), [run, events, now, folds]);
  const failures = useMemo(
    () =>
      Map.groupBy(
        events.filter(({ kind }) => kind === "ATTEMPT_FAILED" || kind === "ATTEMPT_EXPIRED"),
        ({ step, compensation }) => `${compensation} ${step}`,
      ),
    [events],
  );
  const row = (at: number) => {
    const step = run.steps[at];
    if (step === undefined) return undefined;
    const isChosen = chosen?.step === nameOf(step.path) && chosen.compensation === step.compensation;
    return (
      <Bar
        step={step}
        scale={scale}
        now={now}
        failures={failures.get(`${step.compensation} ${step.path}`) ?? []}
        isChosen={isChosen}
        onChoose={() => onChoose(isChosen ? undefined : { step: nameOf(step.path), compensation: step.compensation })}
      />
    );
  };
  return (
    <div className="card timeline">
      <header>
        <h2 className="grow">
          {run.steps.length} {run.steps.length === 1 ? "step" : "steps"}
        </h2>
        <Link className="button small" replace href={withQuery(address, { fold: folds ? "0" : undefined })}>
          {folds ? "Show idle time" : "Fold idle time"}
        </Link>
      </header>
      <Axis scale={scale} />
      <VirtualList
        count={run.steps.length}
        rowHeight={rowHeight}
        row={row}
        heightMax="68vh"
        label="Timeline of the steps"
      />
    </div>
  );
}

function scaleOf(run: Run, events: readonly HistoryEvent[], now: number, folds: boolean): Timescale {
  const from = run.startedAt ?? now;
  const to = Math.max(run.endedAt ?? now, from + 1);
  const points = [
    ...run.steps.flatMap(({ startedAt, endedAt }) => [startedAt, endedAt]),
    ...events.map(({ time }) => time),
  ].filter((at) => at !== undefined);
  return timescale(points, from, to, folds);
}

const percent = (part: number): string => `${(part * 100).toFixed(3)}%`;

function Axis({ scale }: { readonly scale: Timescale }) {
  const from = scale.stretches[0]?.from ?? 0;
  const last = scale.stretches.at(-1);
  return (
    <div className="axis" aria-hidden="true">
      <span />
      <div className="lane">
        {scale.stretches.map((stretch) =>
          stretch.isFolded ? (
            <span
              key={stretch.from}
              className="fold"
              style={{ left: percent(stretch.start), width: percent(stretch.end - stretch.start) }}
              title={`${durationText(stretch.to - stretch.from)} without an event`}
            >
              {durationText(stretch.to - stretch.from)}
            </span>
          ) : stretch.end - stretch.start > 0.07 ? (
            <span
              key={stretch.from}
              className="tick"
              style={{ left: percent(stretch.start) }}
              title={instantText(stretch.from)}
            >
              +{durationText(stretch.from - from)}
            </span>
          ) : undefined,
        )}
        {last === undefined || last.isFolded || last.end - last.start < 0.2 ? undefined : (
          <span className="tick last" title={instantText(last.to)}>
            +{durationText(last.to - from)}
          </span>
        )}
      </div>
      <span />
    </div>
  );
}

function Bar({
  step,
  scale,
  now,
  failures,
  isChosen,
  onChoose,
}: {
  readonly step: Step;
  readonly scale: Timescale;
  readonly now: number;
  readonly failures: readonly HistoryEvent[];
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}) {
  const look = stepLooks[step.state];
  const from = step.startedAt ?? now;
  const to = step.endedAt ?? (["PAUSED", "CANCELLED", "SKIPPED"].includes(step.state) ? from : now);
  const start = scale.place(from);
  const width = Math.max(scale.place(to) - start, 0);
  return (
    <button
      type="button"
      className={`bar tone-${look.tone}${isChosen ? " chosen" : ""}`}
      onClick={onChoose}
      aria-pressed={isChosen}
      aria-label={`${step.compensation ? "compensation of " : ""}${step.path}, ${step.kind}, ${look.word}, ${durationText(to - from)}`}
    >
      <span className="bar-name cut" title={step.path} style={{ paddingLeft: 12 + 14 * depthOf(step.path) }}>
        <span className="bar-icon">
          <Icon name={step.compensation ? "undo" : look.icon} />
        </span>
        {step.compensation ? "undo " : ""}
        {lastOf(step.path)}
        {step.attempt > 1 ? <span className="muted"> ×{step.attempt}</span> : undefined}
      </span>
      <span className="lane">
        {scale.stretches.map((stretch) =>
          stretch.isFolded ? (
            <span
              key={stretch.from}
              className="fold"
              style={{ left: percent(stretch.start), width: percent(stretch.end - stretch.start) }}
            />
          ) : undefined,
        )}
        <span
          className={`span ${isBlock(step) ? "block" : ""}`}
          style={{ left: percent(start), width: `max(3px, ${percent(width)})` }}
        />
        {failures.map((event) => (
          <span
            key={event.sequence}
            className="failure"
            style={{ left: percent(scale.place(event.time ?? from)) }}
            title={`attempt ${event.attempt}: ${event.status?.code ?? ""} ${event.status?.message ?? ""}`}
          />
        ))}
      </span>
      <span className="bar-time">{step.state === "SKIPPED" ? "skipped" : durationText(to - from)}</span>
    </button>
  );
}

function isBlock({ kind }: Step): boolean {
  return ["switch", "parallel", "for_each", "loop", "try", "block"].includes(kind);
}

function depthOf(path: string): number {
  return Math.min(4, path.split("/").length - 1);
}

/** Of a pass also which one: "[3] label". */
function lastOf(path: string): string {
  const segments = path.split("/");
  const pass = segments.length > 1 ? /\[\d+\]$/.exec(segments.at(-2) ?? "")?.[0] : undefined;
  return pass === undefined ? path : `${pass} ${nameOf(path)}`;
}
