import type { Meter } from "@opentelemetry/api";
import type { ReadTaskQueues } from "./grpc/servicesService.ts";
import type { RowProgress } from "./processor/rowWriting.ts";
import type { Processor } from "./processor/processor.ts";

/** What is looked at when metrics are scraped. */
export interface Measured {
  readonly processor: Pick<Processor, "counts" | "owned" | "backlog">;
  readonly nats: { isConnected(): boolean; reconnects(): number };
  readonly rows: { progress(): readonly RowProgress[] } | undefined;
  /** Calls by service; told by one orchestrator, that who owns `tellsQueues`. Rejects when NATS does not answer. */
  readonly readTaskQueues: ReadTaskQueues;
  readonly tellsQueues: () => boolean;
}

/** The orchestrator's metrics. */
export function openMeasures(meter: Meter, { processor, nats, rows, readTaskQueues, tellsQueues }: Measured): void {
  const counter = (name: string, description: string, read: () => number): void =>
    meter
      .createObservableCounter(`sidestep.orchestrator.${name}`, { description })
      .addCallback((result) => result.observe(read()));
  const gauge = (name: string, description: string, read: () => number): void =>
    meter
      .createObservableGauge(`sidestep.orchestrator.${name}`, { description })
      .addCallback((result) => result.observe(read()));
  const { counts } = processor;
  counter("turns", "Events folded.", () => counts.turns);
  counter("tasks", "Tasks published.", () => counts.tasks);
  counter("loads", "Runs loaded from the log.", () => counts.loads);
  counter("evictions", "Idle runs dropped from memory.", () => counts.evictions);
  counter("set_aside", "Messages in the log that are none of ours.", () => counts.garbage);
  counter("orphans", "Records of runs whose log has no start.", () => counts.orphans);
  counter("corrupt_runs", "Runs whose own history can't be folded.", () => counts.corruptRuns);
  counter("takeovers", "Partitions taken.", () => counts.takeovers);
  counter("cuts", "Times that a long run's history was cut below a snapshot.", () => counts.cuts);
  counter(
    "oversized_snapshots",
    "Times that a run held more than a message takes, so that its history stayed whole.",
    () => counts.oversizedSnapshots,
  );
  counter("deletions", "Ended runs deleted after their retention.", () => counts.deletions);
  counter(
    "leftovers",
    "Runs without a start, and locks that nobody wants, deleted after the same time.",
    () => counts.leftovers,
  );
  counter("asks", "Questions of sidecars.", () => counts.asks);
  counter("drifts", "Calls that were held back because no service that runs fits them.", () => counts.drifts);
  counter("nats_reconnects", "How often the connection to NATS came back.", () => nats.reconnects());
  gauge("connected", "1 while there is a connection to NATS.", () => (nats.isConnected() ? 1 : 0));
  gauge("partitions", "Partitions owned.", () => processor.owned().length);
  meter
    .createObservableGauge("sidestep.orchestrator.backlog", {
      description: "Events of a partition that wait to be folded.",
    })
    .addCallback((result) => {
      for (const partition of processor.owned()) result.observe(processor.backlog(partition) ?? 0, { partition });
    });
  watchQueues(meter, readTaskQueues, tellsQueues);
  if (rows === undefined) return;
  meter
    .createObservableGauge("sidestep.orchestrator.index_lag_seconds", {
      description: "Time between an event and its row in the index, of the partitions that are worked on here.",
    })
    .addCallback((result) => {
      for (const { partition, lagMs, isForeign } of rows.progress())
        if (!isForeign) result.observe(lagMs / 1000, { partition });
    });
}

function watchQueues(meter: Meter, read: ReadTaskQueues, isOurs: () => boolean): void {
  const gauge = (name: string, description: string) =>
    meter.createObservableGauge(`sidestep.orchestrator.${name}`, { description });
  const waiting = gauge("tasks.waiting", "Calls of a service that no sidecar has been given.");
  const inFlight = gauge("tasks.in_flight", "Calls of a service in the hands of sidecars.");
  meter.addBatchObservableCallback(
    async (result) => {
      if (!isOurs()) return;
      // While NATS is away nobody knows: the series has a gap then.
      const queues = await read().catch(() => []);
      for (const { service, waiting: calls, inHands } of queues) {
        result.observe(waiting, calls, { service });
        result.observe(inFlight, inHands, { service });
      }
    },
    [waiting, inFlight],
  );
}
