import { BreakingChanges } from "../../../proto/gen/sidestep/v1/definitions.ts";
import type { BreakingChange } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Failure } from "./failure.ts";

/** Changes that fit into a trailer; the others are counted in the message. */
const changesBytesMax = 2_500;

/** What a deploy that would break something is answered with. */
export function breakingFailure(breaks: readonly BreakingChange[]): Failure {
  let shown = breaks.map((one) => ({ ...one, runIds: one.runIds.slice(0, 3) }));
  let value = BreakingChanges.encode({ breaks: shown }).finish();
  while (value.length > changesBytesMax && shown.length > 1) {
    shown = shown.slice(0, Math.floor(shown.length / 2));
    value = BreakingChanges.encode({ breaks: shown }).finish();
  }
  const first = breaks[0]?.sentence ?? "";
  const others = breaks.length === 1 ? "" : `, and ${breaks.length - 1} more`;
  return {
    code: code.FAILED_PRECONDITION,
    message: `nothing was deployed, for it would break what is there: ${first}${others}`,
    reason: "BREAKING_CHANGE",
    details: [{ typeUrl: "type.googleapis.com/sidestep.v1.BreakingChanges", value }],
  };
}
