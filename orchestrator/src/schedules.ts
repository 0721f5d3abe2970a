import { Schedule_Kind as Kind } from "../../proto/gen/sidestep/internal/v1/schedule.ts";
import { boundedLabel } from "../../runtime/src/boundedLabel.ts";
import type { Log } from "../../runtime/src/log.ts";
import type { Instruments } from "../../runtime/src/metrics.ts";
import { toSampler } from "./otlp/sampler.ts";
import type { TraceSettings } from "./otlp/traceSettings.ts";
import { openContractSchedules } from "./processor/contractSchedules.ts";
import type { Definitions } from "./processor/definitions.ts";
import type { Processor } from "./processor/processor.ts";
import { toSchedules } from "./processor/schedules.ts";
import type { Schedules } from "./processor/schedules.ts";
import { startScheduled } from "./processor/scheduleStart.ts";
import type { ScheduledStart, ScheduleStartGround } from "./processor/scheduleStart.ts";
import type { ScheduleStore } from "./processor/scheduleStore.ts";
import { openScheduleWork } from "./processor/scheduleWork.ts";
import type { ScheduleObserver } from "./processor/scheduleWork.ts";
import { toTraceStart } from "./projection/traceContext.ts";

/** Runs started by the clock. */
export interface ScheduleKeeping extends Disposable {
  readonly schedules: Schedules;
}

export interface ScheduleSettings extends TraceSettings {
  readonly retention: number;
  readonly retentionFailed: number | undefined;
}

/** Works on the schedules of the partitions that are owned here, makes those of contracts, and answers who asks about them. */
export function openSchedules(
  settings: ScheduleSettings,
  {
    store,
    processor,
    definitions,
    partitions,
    instruments,
    log,
  }: {
    readonly store: ScheduleStore;
    readonly processor: Pick<Processor, "front" | "owned">;
    readonly definitions: Definitions;
    readonly partitions: number;
    readonly instruments: Pick<Instruments, "counter" | "histogram">;
    readonly log: Log;
  },
): ScheduleKeeping {
  const { front, owned } = processor;
  const isSampled = toSampler(settings);
  const nobody = { traceparent: undefined, tracestate: undefined };
  const ground: ScheduleStartGround = {
    front,
    workflows: definitions,
    trace: (runId) => toTraceStart(runId, nobody, isSampled),
    keptMs: shorter(settings),
    now: Date.now,
  };
  const start = (starting: ScheduledStart, signal: AbortSignal) => startScheduled(ground, starting, signal);
  const shared = { store, owned, partitions, now: Date.now, logger: log };
  const work = openScheduleWork({ ...shared, start, front, observer: openScheduleMeasures(instruments) });
  const contracts = openContractSchedules({ ...shared, definitions });
  return {
    schedules: toSchedules({ store, workflows: definitions, start, now: Date.now }),
    [Symbol.dispose]: () => {
      contracts[Symbol.dispose]();
      work[Symbol.dispose]();
    },
  };
}

/** How long a key is kept at least, however its run ends; 0: for ever. */
function shorter({ retention, retentionFailed = retention }: ScheduleSettings): number {
  if (retention === 0) return retentionFailed;
  return retentionFailed === 0 ? retention : Math.min(retention, retentionFailed);
}

const lateBoundaries = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1_800, 7_200];

const outcomes: Readonly<Record<Kind, string>> = {
  [Kind.STARTED]: "started",
  [Kind.JOINED]: "joined",
  [Kind.UNWANTED]: "unwanted",
  [Kind.FAILED]: "failed",
  [Kind.SKIPPED]: "skipped",
  [Kind.MISSED]: "missed",
  [Kind.UNRECOGNIZED]: "other",
};

/** Counts what comes of nominal times, and how late starts are. */
export function openScheduleMeasures({
  counter,
  histogram,
}: Pick<Instruments, "counter" | "histogram">): ScheduleObserver {
  const times = counter("sidestep.orchestrator.schedules.times", "Nominal times of schedules, by what came of them.");
  const late = histogram(
    "sidestep.orchestrator.schedule.late.seconds",
    "From when a scheduled start was due to when its run was durable.",
    lateBoundaries,
  );
  const bounded = boundedLabel();
  return {
    started: ({ workflow: name }, lateMs) => {
      const workflow = bounded(name);
      times.add(1, { workflow, outcome: outcomes[Kind.STARTED] });
      late.record(Math.max(0, lateMs) / 1_000, { workflow });
    },
    passed: ({ workflow }, kind, count) => times.add(count, { workflow: bounded(workflow), outcome: outcomes[kind] }),
  };
}
