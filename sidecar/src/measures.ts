import type { Meter } from "@opentelemetry/api";
import { boundedLabel } from "../../runtime/src/boundedLabel.ts";
import { AskReply_Verdict } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { remembered } from "../../proto/wire/remembered.ts";
import { codeName } from "../../proto/wire/status.ts";
import type { Log } from "../../runtime/src/log.ts";
import type { Instruments } from "../../runtime/src/metrics.ts";
import { aboutTask } from "./core/aboutTask.ts";
import { traceIdOf } from "./core/traceparent.ts";
import type { WorkerObserver } from "./ports.ts";

/** What is looked at when metrics are scraped. */
export type Gauges = {
  readonly running: () => number;
  readonly concurrency: number;
  readonly isDraining: () => boolean;
  readonly isConnected: () => boolean;
  readonly reconnects: () => number;
  readonly serving: () => readonly { readonly service: string; readonly isServing: boolean }[];
  /** Methods whose calls are held back. */
  readonly broken: () => readonly string[];
};

/** The sidecar's metrics, and the log lines that go with them. */
export function openMeasures(
  { meter, counter: named, histogram }: Instruments,
  log: Log,
): WorkerObserver & {
  watch(gauges: Gauges): void;
  garbage(): void;
  retried(): void;
  broken(method: string, isOpen: boolean): void;
  /** A call of the service ("out"), or of another one for it ("in"), has ended with a code of gRPC. */
  passed(direction: "out" | "in", method: string, number: number, durationMs: number): void;
} {
  const counter = (name: string, description: string) => named(`sidestep.sidecar.${name}`, description);
  const timed = (name: string, description: string) => histogram(`sidestep.sidecar.${name}`, description, boundaries);
  const tasks = counter("tasks", "Tasks by method and what became of them.");
  const durations = timed("task.duration.seconds", "From taking a task up to its acknowledgement.");
  const waits = timed("task.queue.seconds", "How long a task lay in its queue before it was taken up.");
  // What is in the queue names its method itself.
  const bounded = boundedLabel();
  // Of each task two are recorded and one is counted.
  const ofMethod = remembered((method) => {
    const labels = { rpc_method: method };
    const became = remembered((outcome) => tasks.of({ rpc_method: method, outcome }));
    return { waited: waits.of(labels), took: durations.of(labels), became };
  });
  const asks = counter("asks", "Questions to owners of partitions, by reason and verdict.");
  const setAside = counter("set_aside", "Messages that are none of ours, taken out of the queue.");
  const retries = counter("publish_retries", "Outcomes published again for want of an answer.");
  const breaks = counter("breaks", "How often calls of a method have begun to be held back.");
  const passed = timed(
    "passed.seconds",
    "Calls that the service makes through its sidecar, and that others make to it.",
  );
  // Shown from the start: a rate over a metric that is not there is no zero.
  setAside.add(0);
  retries.add(0);
  return {
    taken: ({ message }, waitedMs) =>
      ofMethod(bounded(message.method)).waited(waitedMs / 1_000, traceIdOf(message.headers)),
    ended: (task, outcome, durationMs) => {
      const { message } = task;
      const of = ofMethod(bounded(message.method));
      of.became(outcome)(1);
      of.took(durationMs / 1_000, traceIdOf(message.headers));
      if (log.isDebug) log.debug("a task is done with", { ...aboutTask(task), outcome, durationMs });
    },
    asked: (reason, verdict) =>
      asks.add(1, { reason, verdict: verdict === undefined ? "NO_ANSWER" : (verdictNames.get(verdict) ?? "UNKNOWN") }),
    setAside: (reason, delivery) => {
      setAside.add(1);
      log.error("a message in the task queue was set aside", {
        reason,
        streamSequence: delivery.streamSequence,
        bytes: delivery.body.length,
      });
    },
    unreported: (task, reason) => log.error("an outcome can't be stored", { ...aboutTask(task), reason }),
    garbage: () => setAside.add(1),
    retried: () => retries.add(1),
    broken: (method, isOpen) => {
      if (isOpen) breaks.add(1, { rpc_method: method });
      if (isOpen) log.warn("too many calls of a method fail: its calls wait, but for a probe now and then", { method });
      else log.info("a method answers again: its calls go on", { method });
    },
    passed: (direction, method, number, durationMs) =>
      passed.record(durationMs / 1_000, { direction, rpc_method: bounded(method), code: codeName(number) }),
    watch: (gauges) => watchGauges(meter, gauges),
  };
}

const boundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

function watchGauges(meter: Meter, gauges: Gauges): void {
  meter
    .createObservableGauge("sidestep.sidecar.concurrency", {
      description: "Tasks and calls of other services that it works on at a time, at most.",
    })
    .addCallback((result) => result.observe(gauges.concurrency));
  meter
    .createObservableGauge("sidestep.sidecar.draining", {
      description: "1 while it takes nothing new, for an operator has asked for that.",
    })
    .addCallback((result) => result.observe(gauges.isDraining() ? 1 : 0));
  meter
    .createObservableGauge("sidestep.sidecar.in_flight", {
      description: "Tasks, and calls of other services, being worked on.",
    })
    .addCallback((result) => result.observe(gauges.running()));
  meter
    .createObservableGauge("sidestep.sidecar.connected", { description: "1 while there is a connection to NATS." })
    .addCallback((result) => result.observe(gauges.isConnected() ? 1 : 0));
  meter
    .createObservableCounter("sidestep.sidecar.nats_reconnects", {
      description: "How often the connection to NATS came back.",
    })
    .addCallback((result) => result.observe(gauges.reconnects()));
  meter
    .createObservableGauge("sidestep.sidecar.broken", {
      description: "1 while calls of a method are held back, for too many have failed.",
    })
    .addCallback((result) => {
      for (const method of gauges.broken()) result.observe(1, { rpc_method: method });
    });
  meter
    .createObservableGauge("sidestep.sidecar.serving", { description: "1 while tasks of the service are pulled." })
    .addCallback((result) => {
      for (const { service, isServing } of gauges.serving()) result.observe(isServing ? 1 : 0, { service });
    });
}

const verdictNames: ReadonlyMap<number, string> = new Map(
  Object.entries(AskReply_Verdict).map(([name, number]) => [number, name]),
);
