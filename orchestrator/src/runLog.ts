import { incident_ReasonToJSON, run_StateToJSON } from "../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../proto/wire/status.ts";
import type { Log } from "../../runtime/src/log.ts";
import { aboutRun } from "./processor/aboutRun.ts";
import type { TurnObserver } from "./processor/ports.ts";
import { unobserved } from "./processor/spanObserver.ts";
import { noticesOfTurn } from "./projection/notices.ts";

/** Lines for what people should know of runs: a step waits for a person, a run failed. What calls said of themselves stays out: it may be anything. */
export function toRunLog(log: Log): TurnObserver {
  return {
    ...unobserved,
    turn: ({ runId, state }, { sequence }, { transitions }) => {
      if (transitions.length === 0) return;
      for (const { name, step, attempt, code, reason, state: runState } of noticesOfTurn(
        state,
        sequence,
        transitions,
      )) {
        const about = {
          ...aboutRun({ runId, state }, attempt === 0 ? { step } : { step, attempt }),
          code: codeName(code),
        };
        if (name === "incident")
          log.warn("a step waits for a person", { ...about, reason: incident_ReasonToJSON(reason) });
        else log.info("a run failed", { ...about, state: run_StateToJSON(runState) });
      }
    },
  };
}
