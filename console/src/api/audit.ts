import { list, number, oneOf, text, time } from "./json.ts";
import type { JsonObject } from "./json.ts";

/** What became of a call; unspecified: it is not known. */
export const auditOutcomes = ["OUTCOME_UNSPECIFIED", "DONE", "FAILED", "REFUSED"] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

/** sidestep.v1.AuditEntry. */
export interface AuditEntry {
  readonly id: string;
  readonly at: number | undefined;
  readonly actor: string;
  readonly role: string;
  readonly method: string;
  readonly target: string;
  readonly reason: string;
  readonly outcome: AuditOutcome;
  readonly code: string;
  readonly errorReason: string;
  readonly message: string;
  /** Refusals alike that the entry counts. */
  readonly times: number;
  readonly lastAt: number | undefined;
}

/** A ListAuditResponse. */
export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Empty: there is nothing older. */
  readonly token: string;
}

/** Reads a ListAuditResponse. */
export function toAuditPage(json: JsonObject): AuditPage {
  return { entries: list(json, "entries", toEntry), token: text(json, "nextPageToken") };
}

function toEntry(json: JsonObject): AuditEntry {
  return {
    id: text(json, "id"),
    at: time(json, "at"),
    actor: text(json, "actor"),
    role: text(json, "role"),
    method: text(json, "method"),
    target: text(json, "target"),
    reason: text(json, "reason"),
    outcome: oneOf(json, "outcome", auditOutcomes, "OUTCOME_UNSPECIFIED"),
    code: text(json, "code"),
    errorReason: text(json, "errorReason"),
    message: text(json, "message"),
    times: number(json, "times"),
    lastAt: time(json, "lastAt"),
  };
}
