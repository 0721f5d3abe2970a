import type { Meter } from "@opentelemetry/api";
import type { RowProgress } from "./processor/rowWriting.ts";
import type { Processor } from "./processor/processor.ts";

/** The orchestrator's metrics, looked at when they are scraped. */
export function openMeasures(
  meter: Meter,
  processor: Processor,
  nats: { isConnected(): boolean; reconnects(): number },
  rows: { progress(): readonly RowProgress[] } | undefined,
): void {
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
