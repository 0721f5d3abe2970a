import type { Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { LogRecord } from "../engine/record.ts";

/** How far the log has been read for ended runs to delete, by how long they are kept; and the shortest time that any was. */
export type Swept = Pick<Lease, "swept" | "sweptFailed" | "sweeps" | "shortestRetentionMs">;

/** Deletes what has ended for long enough, by workflow and end state. */
export interface Retentions {
  /** A record has come: a run may have ended. */
  note(record: LogRecord): void;
  /** Deletes some of what is due. */
  sweep(): void;
  /** Nothing is left to do up to there. */
  swept(): Swept;
  /** A run that is younger can't have been deleted; of one that is older an empty log means just that, whatever is kept for how long now. 0: nothing ever was deleted. */
  shortestMs(): number;
}
