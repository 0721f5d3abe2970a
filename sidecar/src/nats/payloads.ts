import type { PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { PayloadError } from "../../../runtime/src/payloads.ts";
import type { Payloads } from "../../../runtime/src/payloads.ts";
import type { ParsedTask } from "../core/taskMessage.ts";

/** Keeps an answer apart; undefined: it is not stored now. */
export async function keepAnswer(
  payloads: Payloads,
  task: ParsedTask,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<PayloadRef | undefined> {
  return unlessFailed(payloads.put(task.service, task.runId, bytes, signal));
}

/** Keeps how a service describes itself; undefined: it is not stored now. */
export async function keepDescription(
  payloads: Payloads,
  service: string,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<PayloadRef | undefined> {
  return unlessFailed(payloads.putShared(service, bytes, signal));
}

/** A request that is kept apart; undefined: NATS does not answer. */
export async function fetchRequest(payloads: Payloads, ref: PayloadRef): Promise<Uint8Array | "gone" | undefined> {
  return unlessFailed(payloads.get(ref).then((bytes) => bytes ?? "gone"));
}

async function unlessFailed<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof PayloadError) return undefined;
    throw error;
  }
}
