import type { BulkKind } from "../api/bulk.ts";

/** An action on many runs. */
export interface BulkAction {
  readonly name: string;
  readonly kind: BulkKind;
  readonly isDangerous: boolean;
  readonly tells: string;
}

/** Those that need nothing besides a reason. */
export const bulkActions: readonly BulkAction[] = [
  { name: "Retry", kind: "RETRY", isDangerous: false, tells: "Tries the steps of their incidents again." },
  {
    name: "Pause",
    kind: "PAUSE",
    isDangerous: false,
    tells: "Nothing new begins in them until they are resumed.",
  },
  { name: "Resume", kind: "RESUME", isDangerous: false, tells: "They go on where they stand." },
  {
    name: "Compensate",
    kind: "COMPENSATE",
    isDangerous: true,
    tells: "Each fails at its incident, and what was done is undone.",
  },
  {
    name: "Cancel",
    kind: "CANCEL",
    isDangerous: true,
    tells: "No new steps in them; what was done is undone.",
  },
  {
    name: "Terminate",
    kind: "TERMINATE",
    isDangerous: true,
    tells: "They end at once. Nothing is undone.",
  },
];
