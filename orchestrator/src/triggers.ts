import type { Names } from "../../proto/wire/subjects.ts";
import { boundedLabel } from "../../runtime/src/boundedLabel.ts";
import type { Log } from "../../runtime/src/log.ts";
import type { Instruments } from "../../runtime/src/metrics.ts";
import { toSampler } from "./otlp/sampler.ts";
import type { TraceSettings } from "./otlp/traceSettings.ts";
import { openContractTriggers } from "./processor/contractTriggers.ts";
import type { Definitions } from "./processor/definitions.ts";
import { toEventHooks } from "./processor/eventHooks.ts";
import type { EventHooks } from "./processor/eventHooks.ts";
import type { EventStreams, ParkedStore } from "./processor/eventStreams.ts";
import type { Processor } from "./processor/processor.ts";
import { toTakeEvent } from "./processor/takeEvent.ts";
import { toTriggers } from "./processor/triggers.ts";
import type { Triggers } from "./processor/triggers.ts";
import type { TriggerStore } from "./processor/triggerStore.ts";
import { openTriggerWork } from "./processor/triggerWork.ts";
import type { TriggerObserver } from "./processor/triggerWork.ts";
import { toTraceStart } from "./projection/traceContext.ts";

/** Runs started, and signalled, by events. */
export interface TriggerKeeping extends Disposable {
  readonly triggers: Triggers;
  readonly hooks: EventHooks;
}

export interface TriggerGround {
  readonly store: TriggerStore;
  readonly streams: EventStreams;
  readonly parked: ParkedStore;
  readonly processor: Pick<Processor, "front" | "owned">;
  readonly definitions: Definitions;
  readonly names: Pick<Names, "isOwn">;
  /** Whether what there is one of in a cluster is done here. */
  readonly isOurs: () => boolean;
  readonly instruments: Instruments;
  readonly log: Log;
}

/** Takes what comes for the triggers of all workflows, makes what they need, and answers who asks about them. */
export function openTriggers(
  settings: TraceSettings & { readonly payloadBytesMax: number },
  { store, streams, parked, processor, definitions, names, isOurs, instruments, log }: TriggerGround,
): TriggerKeeping {
  const { front } = processor;
  const isSampled = toSampler(settings);
  const take = toTakeEvent({
    front,
    workflows: definitions,
    trace: (runId, caller) => toTraceStart(runId, caller, isSampled),
    payloadBytesMax: settings.payloadBytesMax,
  });
  const shared = { store, streams, parked, now: Date.now, logger: log };
  const work = openTriggerWork({ ...shared, take, observer: openTriggerMeasures(instruments) });
  const contracts = openContractTriggers({
    ...shared,
    definitions,
    isOurs,
    isOwnSubject: (subject) => names.isOwn(subject),
  });
  const triggers = toTriggers({ ...shared, take });
  watchTriggers(instruments, triggers, isOurs);
  return {
    triggers,
    hooks: toEventHooks(store, streams, definitions),
    [Symbol.dispose]: () => {
      contracts[Symbol.dispose]();
      work[Symbol.dispose]();
    },
  };
}

const delayBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200];

/** Counts what comes of messages, and how long they have waited. */
export function openTriggerMeasures({
  counter,
  histogram,
}: Pick<Instruments, "counter" | "histogram">): TriggerObserver {
  const messages = counter("sidestep.orchestrator.trigger.messages", "Messages of triggers, by what came of them.");
  const delay = histogram(
    "sidestep.orchestrator.trigger.delay.seconds",
    "From when a message was stored to when what it starts or signals was durable.",
    delayBoundaries,
  );
  const bounded = boundedLabel();
  return {
    took: ({ id, workflow: name }, outcome, delayMs) => {
      const [workflow, trigger] = [bounded(name), bounded(id)];
      messages.add(1, { workflow, trigger, outcome });
      if (outcome === "started" || outcome === "signalled") delay.record(Math.max(0, delayMs) / 1_000, { workflow });
    },
  };
}

/** What waits and what is parked, told by one orchestrator. */
export function watchTriggers(
  { meter }: Pick<Instruments, "meter">,
  triggers: Pick<Triggers, "list">,
  isOurs: () => boolean,
): void {
  const gauge = (name: string, description: string) =>
    meter.createObservableGauge(`sidestep.orchestrator.trigger.${name}`, { description });
  const waiting = gauge("waiting", "Messages of a trigger that have not been taken.");
  const parked = gauge("parked", "Messages of a trigger that it can't take.");
  const paused = gauge("paused", "1 while a trigger is paused.");
  const blocked = gauge("blocked", "1 while a trigger can't listen to its subject.");
  const bounded = boundedLabel();
  meter.addBatchObservableCallback(
    async (result) => {
      if (!isOurs()) return;
      const listed = await triggers.list();
      // While NATS is away nobody knows: the series has a gap then.
      if (listed.kind !== "list") return;
      for (const { record, lag, parked: count } of listed.triggers) {
        const about = { workflow: bounded(record.workflow), trigger: bounded(record.id) };
        result.observe(waiting, lag.waiting + lag.inHands, about);
        result.observe(parked, count, about);
        result.observe(paused, record.paused === undefined ? 0 : 1, about);
        result.observe(blocked, record.blocked === "" ? 0 : 1, about);
      }
    },
    [waiting, parked, paused, blocked],
  );
}
