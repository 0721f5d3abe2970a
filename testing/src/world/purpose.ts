import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { CallPurpose } from "./call.ts";

/** The phase of an attempt, for people. */
export function purposeOf(phase: Phase): CallPurpose {
  switch (phase) {
    case Phase.FORWARD:
    case Phase.UNRECOGNIZED:
      return "forward";
    case Phase.COMPENSATE:
      return "undo";
    case Phase.VERIFY:
      return "verify";
  }
}
