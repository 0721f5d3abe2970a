import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { CallSketch, StepSketch } from "../../../orchestrator/src/engine/testing/sketch.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { toRandom } from "../random.ts";
import type { Callers } from "../stack/callers.ts";
import { quietFaults } from "../stack/faults.ts";
import type { Script } from "../stack/service.ts";
import { play } from "../stack/simulate.ts";
import type { Simulated } from "../stack/simulate.ts";
import type { Stage } from "../stack/stage.ts";

/** ADR 34: runs stand at an incident, go on by a version that sends something else there, and are tried again: by a call of another key. */
export async function mendedRequests(): Promise<readonly string[]> {
  const runs = 4;
  const { violations, executions } = await playVersions({
    runs,
    delayMsMax: 5,
    from: [call("a", { request: "'wrong'", attempts: 1 })],
    to: [call("a", { request: "'right'", attempts: 1 })],
    script: ({ attempt }) => (attempt === 1 ? "UNAVAILABLE" : "OK"),
    begin: (stage, callers) => {
      atFirst(stage, runs, isAtIncident, (runId) => migrate(callers, runId));
      atFirst(stage, runs, isMigrated, (runId) => retry(callers, runId, "a"));
    },
  });
  const again = executions.some(({ attempt }) => attempt === 2);
  return [...violations, ...(again ? [] : ["nothing is tried again"])];
}

/** ADR 34: outcomes come while runs are migrated to a version with another next step: it is in force only where nothing came before it. */
export async function outcomesInBetween(): Promise<readonly string[]> {
  const runs = 30;
  const { violations, migrations } = await playVersions({
    runs,
    delayMsMax: 20,
    from: [call("a"), call("b")],
    to: [call("a"), call("c")],
    script: ({ step }) => ({ code: "OK", afterMs: step === "a" ? 300 : 10 }),
    begin: (stage, callers) => {
      let asked = 0;
      // Sooner and later: some are in time, some come too late, and some are overtaken.
      atFirst(stage, runs, isCalling, (runId) => {
        stage.world.scheduler.after(undefined, 100 + 4 * asked++, () => migrate(callers, runId));
      });
    },
  });
  const { done = 0, differs = 0 } = migrations;
  return [...violations, ...(done > 0 && differs > 0 ? [] : [`${done} are in time, ${differs} come too late`])];
}

interface VersionScene {
  readonly runs: number;
  readonly delayMsMax: number;
  readonly from: readonly StepSketch[];
  readonly to: readonly StepSketch[];
  readonly script: Script;
  readonly begin: (stage: Stage, callers: Callers) => void;
}

/** Some runs of the first version, begun one after the other. */
function playVersions({ runs, delayMsMax, from, to, script, begin }: VersionScene): Promise<Simulated> {
  return play({
    seed: 1,
    random: toRandom(1),
    faults: { ...quietFaults, delayMsMax },
    plans: [{ steps: from }],
    versions: [{ of: 0, sketch: { steps: to } }],
    partitions: 1,
    script,
    begin: (stage, callers) => {
      stage.counts.callers = runs;
      const [plan] = stage.plans;
      if (plan === undefined) return;
      for (let n = 0; n < runs; n++)
        stage.world.scheduler.after(undefined, 3_000 + n * 500, () => callers.begin(plan, 0, `key ${n}`));
      begin(stage, callers);
    },
    dies: undefined,
    isDeadly: false,
    tells: false,
  });
}

function call(id: string, more: Partial<CallSketch> = {}): StepSketch {
  return { id, action: { kind: "call", method: "test.v1.Service/M", timeoutMs: 1_000, ...more } };
}

const nobody = { reason: "", actor: "" };

/** To the second version. */
function migrate(callers: Callers, runId: RunId): void {
  const requestId = `migration ${runId}`;
  callers.migrate(runId, { version: 2, planHash: Uint8Array.of(1), ...nobody, requestId, dropSignals: false });
}

function retry(callers: Callers, runId: RunId, step: string): void {
  const event = { step, compensation: false, backoff: false, ...nobody, requestId: `retry ${runId}` };
  callers.request(runId, { kind: "retry", event });
}

const lookEveryMs = 10;
/** Where a bug keeps runs from coming so far, the looking has an end. */
const looksMax = 6_000;

/** Does something with each of the runs, once, when it has come so far. */
function atFirst(stage: Stage, runs: number, hasCome: (state: RunState) => boolean, act: (runId: RunId) => void): void {
  const { states, world } = stage;
  const seen = new Set<string>();
  let looks = 0;
  const look = (): void => {
    for (const [runId, state] of states) {
      const parsed = seen.has(runId) || !hasCome(state) ? undefined : parseRunId(runId);
      if (parsed === undefined) continue;
      seen.add(runId);
      act(parsed);
    }
    if (seen.size < runs && ++looks < looksMax) world.scheduler.after(undefined, lookEveryMs, look);
  };
  look();
}

function isAtIncident({ incidents }: RunState): boolean {
  return incidents.size > 0;
}

function isCalling({ steps }: RunState): boolean {
  return steps.get("a")?.state.kind === "running";
}

function isMigrated({ started }: RunState): boolean {
  return started?.planHash[0] === 1;
}
