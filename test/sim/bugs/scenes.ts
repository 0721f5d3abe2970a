import { toCredentials } from "../../../orchestrator/src/processor/credentials.ts";
import { toFact } from "../../../orchestrator/src/processor/fact.ts";
import { engineRevision } from "../../../orchestrator/src/engine/revision.ts";
import type { StepSketch } from "../../../orchestrator/src/engine/testing/sketch.ts";
import { Event, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { toRandom } from "../random.ts";
import { quietFaults } from "../stack/faults.ts";
import { play } from "../stack/simulate.ts";

/** A short look at one thing, for what random days show late or not at all; answers what is wrong. */
export interface Scene {
  readonly name: string;
  readonly play: () => Promise<readonly string[]>;
}

/** All of them. */
export const scenes: readonly Scene[] = [
  { name: "events of later versions", play: laterVersions },
  { name: "two runs and one lock", play: oneLock },
];

/** PROTOCOL §11: what a newer version wrote parks the partition, and is not set aside. */
function laterVersions(): Promise<readonly string[]> {
  const credentials = toCredentials([new Uint8Array(32)]);
  const subject = toNames().eventSubject(0, "0123456789abcdef".repeat(2));
  const isNewer = (data: Uint8Array): boolean =>
    toFact({ sequence: 1, storedMs: 0, subject, data }, credentials).kind === "newer";
  const start = { ...RunStarted.decode(new Uint8Array()), engineRevision: engineRevision + 1 };
  const wrong: string[] = [];
  // One message in field 500.
  if (!isNewer(Uint8Array.of(0xa2, 0x1f, 0x00))) wrong.push("an event of a kind to come is not told as one");
  if (!isNewer(Event.encode({ kind: { $case: "runStarted", value: start } }).finish()))
    wrong.push("a start of a revision to come is not told as one");
  return Promise.resolve(wrong);
}

/** PROTOCOL §9: of two runs that want a lock, one after the other has it, and both end. */
async function oneLock(): Promise<readonly string[]> {
  const held = (id: string): StepSketch => ({
    id,
    lock: "'one'",
    action: { kind: "call", method: "test.v1.Service/M", timeoutMs: 1_000 },
  });
  const { violations, executions } = await play({
    seed: 1,
    random: toRandom(1),
    faults: quietFaults,
    plans: [{ steps: [held("a"), held("b")], outputStep: "b" }],
    partitions: 1,
    script: () => "OK",
    begin: (stage, callers) => {
      stage.counts.callers = 3;
      const [plan] = stage.plans;
      if (plan === undefined) return;
      for (const key of ["one", "two", "three"]) callers.begin(plan, 0, key);
    },
    dies: undefined,
    isDeadly: false,
    tells: false,
  });
  const times = executions.toSorted((a, b) => a.startedAt - b.startedAt);
  const overlaps = times.some(({ startedAt }, i) => startedAt < (times[i - 1]?.effectAt ?? 0));
  return [
    ...violations,
    ...(times.length === 6 ? [] : [`there are ${times.length} calls, not 6`]),
    ...(overlaps ? ["two calls under one lock are under way at the same time"] : []),
  ];
}
