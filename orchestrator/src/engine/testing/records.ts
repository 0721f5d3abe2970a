import type { AttemptId, Event, Limits, RunStarted } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Failure, Outcome } from "../../../../proto/gen/sidestep/internal/v1/task.ts";
import { code } from "../../../../proto/wire/status.ts";
import type { CodeName } from "../../../../proto/wire/status.ts";
import type { LogRecord } from "../record.ts";
import { epochMs } from "./expression.ts";

/** Id of the run of most tests. */
export const testRunId = "0192f7a1b2c30abc1122334455667788";

/** An event as the log would hold it; `atMs` counts from the tests' epoch. */
export function eventAt(sequence: number, atMs: number, kind: Event["kind"]): LogRecord {
  return { sequence, storedMs: epochMs + atMs, fact: { kind: "event", event: { kind } } };
}

export function outcomeAt(
  sequence: number,
  atMs: number,
  attempt: AttemptId,
  kind: Outcome["kind"],
  more: Partial<Outcome> & { readonly authentic?: boolean } = {},
): LogRecord {
  const { authentic = true, ...rest } = more;
  const outcome: Outcome = {
    attempt,
    token: new Uint8Array(),
    kind,
    delivery: 1,
    recheck: false,
    sent: true,
    startedAtMs: epochMs + atMs - 10,
    endedAtMs: epochMs + atMs - 1,
    peer: "127.0.0.1:50051",
    sidecar: { id: "side-1", name: "side", host: "host", version: "1" },
    ...rest,
  };
  return { sequence, storedMs: epochMs + atMs, fact: { kind: "outcome", outcome, authentic } };
}

/** Nothing is bounded. */
export const noLimits: Limits = {
  payloadBytesMax: 0,
  evaluationStepsMax: 0,
  pendingStepsMax: 0,
  signalsMax: 0,
  yieldsMax: 0,
  yieldsBytesMax: 0,
  turnStepsMax: 0,
  itemsMax: 0,
  parallelMax: 0,
  claimedBytesMax: 0,
};

/** `issuedMs` counts from the tests' epoch. */
export function makeStarted(
  more: Partial<RunStarted> & { readonly issuedMs?: number; readonly bounds?: Partial<Limits> } = {},
): RunStarted {
  const { issuedMs = 0, bounds, ...rest } = more;
  return {
    workflow: "test.v1.Workflow/Run",
    version: 1,
    planHash: new Uint8Array(),
    engineRevision: 2,
    key: "",
    request: new TextEncoder().encode("order-1"),
    requestHash: new Uint8Array(),
    issuedAtMs: epochMs + issuedMs,
    metadata: {},
    trace: undefined,
    limits: { ...noLimits, ...bounds },
    parent: undefined,
    detachedFrom: undefined,
    requestPayload: undefined,
    actor: "",
    rerun: undefined,
    schedule: undefined,
    event: undefined,
    ...rest,
  };
}

export function makeFailure(name: CodeName, message: string, more: Partial<Failure> = {}): Failure {
  return { code: code[name], message, details: new Uint8Array(), origin: 0, ...more };
}
