import type { PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { LoadedPlan } from "./plan.ts";
import type { LogRecord } from "./record.ts";

/** Stands, by identity, for bytes that are kept apart and have not been loaded. */
export const unloaded: Uint8Array = new Uint8Array();

/** What expressions read of payloads that are kept apart: larger ones fail the step that reads them. */
export const loadedBytesMax = 8 * 1024 * 1024;

/**
 * The payload that a record needs before it can be folded, because expressions of the plan read it. A pure function of plan and record:
 * whoever folds the run, and whenever, loads the same. Undefined: none, or it has been loaded.
 */
export function payloadToLoad(plan: LoadedPlan, { fact }: LogRecord): PayloadRef | undefined {
  if (fact.kind === "event") {
    const { kind } = fact.event;
    if (kind?.$case === "runStarted") {
      const { request, requestPayload } = kind.value;
      return request.length === 0 ? wanted(plan, "input", requestPayload) : undefined;
    }
    if (kind?.$case !== "childEnded") return undefined;
    const { step, ended } = kind.value;
    return ended?.response.length === 0 ? wanted(plan, nameOf(step?.step ?? ""), ended.responsePayload) : undefined;
  }
  const { kind, attempt } = fact.outcome;
  if (kind?.$case !== "claimed" || attempt === undefined || fact.payload !== undefined || !fact.authentic)
    return undefined;
  return wanted(plan, nameOf(attempt.step), kind.value);
}

/** The record with its payload loaded. */
export function withPayload(record: LogRecord, payload: Uint8Array): LogRecord {
  const { fact } = record;
  if (fact.kind === "outcome") return { ...record, fact: { ...fact, payload } };
  const { kind } = fact.event;
  if (kind?.$case === "runStarted") {
    const value = { ...kind.value, request: payload };
    return { ...record, fact: { kind: "event", event: { kind: { $case: "runStarted", value } } } };
  }
  if (kind?.$case !== "childEnded" || kind.value.ended === undefined) return record;
  const value = { ...kind.value, ended: { ...kind.value.ended, response: payload } };
  return { ...record, fact: { kind: "event", event: { kind: { $case: "childEnded", value } } } };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function wanted(plan: LoadedPlan, name: string, ref: PayloadRef | undefined): PayloadRef | undefined {
  return ref !== undefined && ref.sizeBytes <= loadedBytesMax && plan.read.has(name) ? ref : undefined;
}
