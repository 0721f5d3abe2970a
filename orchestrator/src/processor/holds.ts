import type { Hold } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import type { Unavailable } from "./front.ts";
import type { HoldRecord } from "./ports.ts";

export interface HoldsGround {
  readonly holds: HoldRecord;
}

const rounds = 8;

/**
 * Changes the holds, again and again while others change them meanwhile. Undefined from `change`: nothing is to be written. Throws when NATS
 * does not answer.
 */
export async function changeHolds(
  { holds }: HoldsGround,
  change: (holds: readonly Hold[]) => readonly Hold[] | undefined,
): Promise<{ readonly kind: "changed" | "unchanged" } | Unavailable> {
  const nextPauseMs = growingPause(20, 500);
  for (let round = 0; round < rounds; round++) {
    const before = await holds.read();
    const after = change(before.holds.hold);
    if (after === undefined) return { kind: "unchanged" };
    const swapped = await holds.write({ hold: [...after] }, before.revision);
    if (swapped.kind === "held") return { kind: "changed" };
    await pause(nextPauseMs());
  }
  return {
    kind: "unavailable",
    message: "the holds could not be changed in time: others change them, or NATS does not say",
  };
}
