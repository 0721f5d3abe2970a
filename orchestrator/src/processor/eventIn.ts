import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { LogMessage } from "./ports.ts";
import { startedBy } from "./start.ts";

/** The event that a message of `.e` is; undefined: it is garbage, which was set aside when it came. */
export function eventIn({ data }: Pick<LogMessage, "data">): Event["kind"] {
  try {
    return Event.decode(data).kind;
  } catch {
    return undefined;
  }
}

/** Does a run begin with it? A RunStarted that counts does, and a Snapshot, which has it. */
export function beginsRun(message: LogMessage): boolean {
  return eventIn(message) !== undefined && startedBy(message) !== undefined;
}
