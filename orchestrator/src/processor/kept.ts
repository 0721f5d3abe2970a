import type { Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { LogRecord } from "../engine/record.ts";

/** How far the log has been read for ended runs to delete, by how long they are kept. */
export type Swept = Pick<Lease, "swept" | "sweptFailed" | "sweeps">;

/** Deletes what has ended for long enough, by workflow and end state. */
export interface Retentions {
  /** A record has come: a run may have ended. */
  note(record: LogRecord): void;
  /** Deletes some of what is due. */
  sweep(): void;
  /** Nothing is left to do up to there. */
  swept(): Swept;
  /** No run that is older may have a log that is empty for another reason than its deletion; 0: nothing is deleted. */
  shortestMs(): number;
}
