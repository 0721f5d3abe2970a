import { list, number, object, oneOf, text, time } from "./json.ts";
import type { JsonObject } from "./json.ts";

/** Kinds of sidestep.v1.BulkAction that need nothing besides a reason. */
export type BulkKind = "RETRY" | "PAUSE" | "RESUME" | "FAIL" | "COMPENSATE" | "CANCEL" | "TERMINATE";

/** sidestep.v1.Bulk. */
export interface Bulk {
  readonly bulkId: string;
  readonly filter: string;
  readonly kind: string;
  readonly reason: string;
  readonly rate: number;
  readonly state: "RUNNING" | "COMPLETED" | "STOPPED";
  readonly startedAt: number | undefined;
  readonly runs: number;
  readonly done: number;
  readonly refused: number;
  readonly refusals: readonly BulkRefusal[];
}

/** sidestep.v1.BulkRefusal. */
export interface BulkRefusal {
  readonly reason: string;
  readonly runs: number;
  readonly message: string;
  readonly runId: string;
}

/** Reads a Bulk. */
export function toBulk(json: JsonObject): Bulk {
  const action = object(json["action"]);
  return {
    bulkId: text(json, "bulkId"),
    filter: text(json, "filter"),
    kind: text(action, "kind"),
    reason: text(action, "reason"),
    rate: number(json, "rate"),
    state: oneOf(json, "state", ["RUNNING", "COMPLETED", "STOPPED"] as const, "RUNNING"),
    startedAt: time(json, "startedAt"),
    runs: number(json, "runs"),
    done: number(json, "done"),
    refused: number(json, "refused"),
    refusals: list(json, "refusals", (one) => ({
      reason: text(one, "reason"),
      runs: number(one, "runs"),
      message: text(one, "message"),
      runId: text(one, "runId"),
    })),
  };
}
