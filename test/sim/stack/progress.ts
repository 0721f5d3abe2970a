import { Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { parseLogSubject } from "../../../proto/wire/subjects.ts";
import { isVoidStart } from "../../../orchestrator/src/engine/limits.ts";
import type { LogMessage } from "../../../orchestrator/src/processor/ports.ts";
import type { Stage } from "./stage.ts";

/** Which runs have started and not ended, as the logs say. */
export interface Progress {
  /** Reads on; how many runs are open. */
  open(): number;
  /** Whether the checkpoint of every partition has come to the end of its log. */
  isCheckpointed(): boolean;
}

/** Reads the logs from their start. */
export function openProgress({ logs, leases }: Stage): Progress {
  const read = logs.map(() => 0);
  const open = new Set<string>();
  const note = (message: LogMessage): void => {
    const place = parseLogSubject(message.subject);
    if (place?.kind !== "e") return;
    const kind = kindOf(message.data);
    if (kind?.$case === "runStarted" && !isVoidStart(kind.value, message.storedMs)) open.add(place.runId);
    if (kind?.$case === "runEnded") open.delete(place.runId);
  };
  return {
    open: () => {
      for (const [partition, { messages }] of logs.entries()) {
        for (let at = read[partition] ?? 0; at < messages.length; at++) {
          const message = messages[at];
          if (message !== undefined) note(message);
        }
        read[partition] = messages.length;
      }
      return open.size;
    },
    isCheckpointed: () =>
      logs.every(({ messages }, partition) => {
        const lease = leases.records.get(String(partition));
        return lease !== undefined && Lease.decode(lease.value).checkpoint >= messages.length;
      }),
  };
}

function kindOf(bytes: Uint8Array): Event["kind"] {
  try {
    return Event.decode(bytes).kind;
  } catch {
    return undefined;
  }
}
