import { advance } from "../../orchestrator/src/engine/advance.ts";
import { advanceLock, newLock } from "../../orchestrator/src/engine/lock.ts";
import type { LoadedPlan } from "../../orchestrator/src/engine/plan.ts";
import { migrationOf } from "../../orchestrator/src/engine/migration.ts";
import { rerunStart } from "../../orchestrator/src/engine/rerun.ts";
import { startIn } from "../../orchestrator/src/engine/snapshot/resume.ts";
import { attemptStanding, claimOf, openCommands } from "../../orchestrator/src/engine/standing.ts";
import { newRun } from "../../orchestrator/src/engine/state.ts";
import { makePlan } from "../../orchestrator/src/engine/testing/plan.ts";
import type { PlanSketch } from "../../orchestrator/src/engine/testing/sketch.ts";

/** What the simulation calls of the engine: the real one, or one with a planted bug. */
export interface Engine {
  readonly advance: typeof advance;
  readonly newRun: typeof newRun;
  readonly advanceLock: typeof advanceLock;
  readonly newLock: typeof newLock;
  readonly attemptStanding: typeof attemptStanding;
  readonly claimOf: typeof claimOf;
  readonly openCommands: typeof openCommands;
  readonly rerunStart: typeof rerunStart;
  readonly migrationOf: typeof migrationOf;
  readonly startIn: typeof startIn;
  readonly makePlan: (sketch: PlanSketch) => LoadedPlan;
}

export const engine: Engine = {
  advance,
  newRun,
  advanceLock,
  newLock,
  attemptStanding,
  claimOf,
  openCommands,
  rerunStart,
  migrationOf,
  startIn,
  makePlan,
};
