import type { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";

/** One message of a run's log, decoded. */
export interface LogRecord {
  /** Position in the partition's log. */
  readonly sequence: number;
  /** When the log stored it, in milliseconds since 1970: the engine's only clock. */
  readonly storedMs: number;
  readonly fact:
    | { readonly kind: "event"; readonly event: Event }
    /** `authentic`: its token is the attempt's. Others are recorded and ignored. `payload`: what it claims, loaded where payloadToLoad asks for it. */
    | {
        readonly kind: "outcome";
        readonly outcome: Outcome;
        readonly authentic: boolean;
        readonly payload?: Uint8Array;
      };
}
