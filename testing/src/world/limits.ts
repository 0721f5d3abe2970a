import type { Limits } from "../../../proto/gen/sidestep/internal/v1/event.ts";

/** The bounds of runs, as an orchestrator has them unless it is told others. */
export const usualLimits: Limits = {
  payloadBytesMax: 256 * 1024,
  evaluationStepsMax: 100_000,
  pendingStepsMax: 1_000,
  signalsMax: 1_000,
  yieldsMax: 1_000,
  yieldsBytesMax: 8 * 1024 * 1024,
  turnStepsMax: 10_000,
  itemsMax: 10_000,
  parallelMax: 100,
  claimedBytesMax: 64 * 1024 * 1024,
};
