import { payloadToLoad, withPayload } from "../engine/payload.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import type { Payloads } from "./ports.ts";

/** A payload that the log claims is there no more: its run can't be folded. */
export class LostPayload extends Error {
  constructor(sequence: number) {
    super(`the payload that message ${sequence} claims is there no more`);
    this.name = "LostPayload";
  }
}

/**
 * The records with the payloads that the plan's expressions read: everybody who folds a run gives the engine the same. Throws LostPayload,
 * and what the port throws.
 */
export async function withPayloads(
  payloads: Pick<Payloads, "get">,
  plan: LoadedPlan,
  records: readonly LogRecord[],
): Promise<readonly LogRecord[]> {
  if (!records.some((record) => payloadToLoad(plan, record) !== undefined)) return records;
  const loaded: LogRecord[] = [];
  for (const record of records) loaded.push(await loadPayload(payloads, plan, record));
  return loaded;
}

/** One record with the payload that it needs, if it needs one. */
export async function loadPayload(
  payloads: Pick<Payloads, "get">,
  plan: LoadedPlan,
  record: LogRecord,
): Promise<LogRecord> {
  const ref = payloadToLoad(plan, record);
  if (ref === undefined) return record;
  const bytes = await payloads.get(ref);
  if (bytes === undefined) throw new LostPayload(record.sequence);
  return withPayload(record, bytes);
}
