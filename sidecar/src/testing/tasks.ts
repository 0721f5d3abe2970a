import type { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { fromHex } from "../../../proto/wire/runId.ts";

/** A task of the run of that number. */
export function taskOf(number: number, rest: Partial<Task> = {}): Task {
  return {
    runId: fromHex(number.toString(16).padStart(32, "0")),
    partition: 3,
    attempt: { step: "reserve", generation: 0, phase: 0, attempt: 1 },
    method: "shop.v1.Stock/Reserve",
    request: new Uint8Array([1, 2]),
    headers: [],
    timeoutMs: 500,
    token: new Uint8Array([number]),
    issuedAtSequence: 5,
    issuedAtMs: 1_000_000,
    recheck: false,
    claim: false,
    serverStreaming: false,
    plan: new Uint8Array(),
    messagesMax: 0,
    bytesMax: 0,
    requestPayload: undefined,
    inlineBytesMax: 0,
    ...rest,
  };
}
