import { parseRunId } from "../../../proto/wire/runId.ts";
import type { Random } from "../random.ts";
import type { Callers } from "./callers.ts";
import type { Stage } from "./stage.ts";

/** People have live runs go on by other versions, whatever happens around them; now and then two do at once. */
export function openMigrations(stage: Stage, callers: Callers, random: Random): void {
  const { world, states, plans } = stage;
  const { scheduler } = world;
  if (plans.every((_, number) => stage.versionsOf(number).length === 1)) return;
  let count = 0;
  const look = (): void => {
    for (const [runId, { started, ended }] of states) {
      const parsed = parseRunId(runId);
      if (parsed === undefined || started === undefined || ended !== undefined) continue;
      const others = stage.versionsOf(started.planHash[0] ?? 0);
      if (others.length < 2 || !random.chance(0.3)) continue;
      for (let n = random.chance(0.2) ? 2 : 1; n > 0; n--) {
        const to = random.pick(others);
        callers.migrate(parsed, {
          version: to + 1,
          planHash: Uint8Array.of(to),
          reason: "",
          actor: "",
          requestId: `migration ${++count}`,
          dropSignals: true,
        });
      }
    }
    // Not after the healing: a run has to end by itself.
    if (world.isFaulty()) scheduler.after(undefined, random.int(20, 1_500), look);
  };
  look();
}
