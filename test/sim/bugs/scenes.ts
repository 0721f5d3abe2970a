import { toCredentials } from "../../../orchestrator/src/processor/credentials.ts";
import { toFact } from "../../../orchestrator/src/processor/fact.ts";
import { engineRevision } from "../../../orchestrator/src/engine/revision.ts";
import type { StepSketch } from "../../../orchestrator/src/engine/testing/sketch.ts";
import { Event, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { toRandom } from "../random.ts";
import { quietFaults } from "../stack/faults.ts";
import { play } from "../stack/simulate.ts";
import { missingWorkflow } from "../workflow.ts";
import { mendedRequests, outcomesInBetween } from "./versionScenes.ts";

/** A short look at one thing, for what random days show late or not at all; answers what is wrong. */
export interface Scene {
  readonly name: string;
  readonly play: () => Promise<readonly string[]>;
}

/** All of them. */
export const scenes: readonly Scene[] = [
  { name: "events of later versions", play: laterVersions },
  { name: "three runs and one lock", play: oneLock },
  { name: "a start that nobody hears of for long", play: lateStart },
  { name: "timers that can't be armed and are cancelled", play: silentTimers },
  { name: "acknowledgements get lost, and the owner reads late", play: lateReads },
  { name: "a child that is refused once its run is cancelled", play: lateRefusal },
  { name: "requests that another version mends at incidents", play: mendedRequests },
  { name: "outcomes that come while runs are migrated", play: outcomesInBetween },
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

/** PROTOCOL §3: the log answers nobody for 45 s; who starts a run meanwhile is not told that it is there. */
async function lateStart(): Promise<readonly string[]> {
  const { violations } = await play({
    seed: 1,
    random: toRandom(1),
    faults: quietFaults,
    plans: [{ steps: [call("a")], outputStep: "a" }],
    partitions: 1,
    script: () => "OK",
    begin: (stage, callers) => {
      stage.counts.callers = 1;
      const [plan] = stage.plans;
      stage.world.scheduler.after(undefined, 3_000, () => {
        stage.network.breakDown("log 0", 45_000);
        if (plan !== undefined) callers.begin(plan, 0, "");
      });
    },
    dies: undefined,
    isDeadly: true,
    tells: false,
  });
  return violations;
}

/** PROTOCOL §7: long timers are asked for while nobody hears it, and are not needed any more when somebody does; none of them stays. */
async function silentTimers(): Promise<readonly string[]> {
  const runs = 12;
  const { violations } = await play({
    seed: 1,
    random: toRandom(1),
    faults: quietFaults,
    plans: [{ steps: [{ id: "go", action: { kind: "signal", name: "go", timeoutMs: 600_000 } }], signals: ["go"] }],
    partitions: 1,
    script: () => "OK",
    begin: (stage, callers) => {
      stage.counts.callers = runs;
      const [plan] = stage.plans;
      for (let n = 0; n < runs; n++) {
        stage.world.scheduler.after(undefined, 3_000 + n * 6_000, () => {
          stage.network.breakDown("timers", 4_000);
          if (plan !== undefined) callers.begin(plan, 0, `key ${n}`);
        });
      }
    },
    dies: undefined,
    isDeadly: false,
    tells: false,
  });
  return violations;
}

/** PROTOCOL §6: tasks come again whose outcomes are stored, and which their owner has not read yet: no call is made twice. */
async function lateReads(): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const seed of [6, 7]) violations.push(...(await lateRead(seed)));
  return violations;
}

async function lateRead(seed: number): Promise<readonly string[]> {
  const runs = 6;
  const { violations } = await play({
    seed,
    random: toRandom(seed),
    faults: { ...quietFaults, drop: 0.3, readsLateMs: 9_000, healsMs: 120_000, isQuiet: false },
    plans: [{ steps: [call("a"), call("b")], outputStep: "b" }],
    partitions: 1,
    script: () => "OK",
    begin: (stage, callers) => {
      stage.counts.callers = runs;
      const [plan] = stage.plans;
      for (let n = 0; n < runs; n++) {
        stage.world.scheduler.after(undefined, 3_000 + n * 1_000, () => {
          if (plan !== undefined) callers.begin(plan, 0, `key ${n}`);
        });
      }
    },
    dies: undefined,
    isDeadly: false,
    tells: false,
  });
  return violations;
}

/**
 * PROTOCOL §9: a run is cancelled while nobody can look up that the workflow of its child is not deployed; what the child's log begins with says for
 * good that there is none.
 */
async function lateRefusal(): Promise<readonly string[]> {
  const { violations, ends } = await play({
    seed: 1,
    random: toRandom(1),
    faults: quietFaults,
    plans: [
      {
        steps: [
          { id: "pause", action: { kind: "wait", forMs: 3_000 } },
          { id: "child", action: { kind: "run", workflow: missingWorkflow } },
        ],
      },
    ],
    partitions: 1,
    script: () => "OK",
    begin: (stage, callers) => {
      stage.counts.callers = 1;
      const { world, network, plans } = stage;
      const [plan] = plans;
      if (plan === undefined) return;
      world.scheduler.after(undefined, 3_000, () => callers.begin(plan, 0, ""));
      world.scheduler.after(undefined, 5_000, () => network.breakDown("keys", 10_000));
      world.scheduler.after(undefined, 10_000, () => {
        const runId = callers.all[0]?.runId;
        const event = { reason: "", actor: "", requestId: "cancel" };
        if (runId !== undefined) callers.request(runId, { kind: "cancel", event });
      });
    },
    dies: undefined,
    isDeadly: false,
    tells: false,
  });
  return [
    ...violations,
    ...(ends[0] === Run_State.CANCELLED ? [] : ["the cancellation does not come before the refusal"]),
  ];
}

function call(id: string): StepSketch {
  return { id, action: { kind: "call", method: "test.v1.Service/M", timeoutMs: 1_000 } };
}

/** PROTOCOL §9: three runs want one lock for some seconds each; they have it one after the other, and all end. */
async function oneLock(): Promise<readonly string[]> {
  const body = [call("a"), { id: "pause", action: { kind: "wait", forMs: 3_000 } } as const, call("b")];
  const locked: StepSketch = { id: "locked", lock: "'one'", action: { kind: "try", body: { steps: body } } };
  const { violations, executions } = await play({
    seed: 1,
    random: toRandom(1),
    faults: quietFaults,
    plans: [{ steps: [locked, call("last")], outputStep: "last" }],
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
  // Begun within a second, the runs would be between a and b all at once.
  const under = executions
    .filter(({ step }) => step !== "last")
    .toSorted((a, b) => a.startedAt - b.startedAt)
    .map(({ runId }) => runId);
  const overlaps = under.some((runId, i) => i % 2 === 1 && runId !== under[i - 1]);
  return [
    ...violations,
    ...(executions.length === 9 ? [] : [`there are ${executions.length} calls, not 9`]),
    ...(overlaps ? ["a run is under the lock while another is"] : []),
  ];
}
