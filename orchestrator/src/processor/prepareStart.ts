import { hash as digest } from "node:crypto";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Limits, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { Encoder } from "../../../proto/wire/encoder.ts";
import { evaluateKey } from "../engine/key.ts";
import { canonicalRequest } from "../engine/request.ts";
import type { CanonicalRequest } from "../engine/request.ts";
import { engineRevision } from "../engine/revision.ts";
import type { Refusal, StartRequest } from "./front.ts";

const { toBytes } = new Encoder();

/** A key is kept with its run for ever. */
export const keyBytesMax = 1024;

/** A start that may be written: its request can be decoded, and its key is known. */
export interface Prepared {
  readonly request: StartRequest;
  /** Empty: none. */
  readonly key: string;
  readonly requestHash: Uint8Array;
  readonly issuedMs: number;
  readonly limits: Limits;
}

/** On what terms a run is started. */
export interface StartTerms {
  /** Wins over the workflow's own key. */
  readonly givenKey?: string | undefined;
  /** Larger than the limit of payloads: the request may be kept apart. */
  readonly requestBytesMax?: number | undefined;
}

/** Checks a start before anything is written. */
export function prepareStart(
  limits: Limits,
  request: StartRequest,
  issuedMs: number,
  { givenKey, requestBytesMax = limits.payloadBytesMax }: StartTerms = {},
): Prepared | Extract<Refusal, { readonly kind: "invalid" | "tooLarge" }> {
  const limitBytes = Math.max(requestBytesMax, limits.payloadBytesMax);
  if (request.request.length > limitBytes) return { kind: "tooLarge", sizeBytes: request.request.length, limitBytes };
  const canonical = canonicalOf(request);
  if (canonical.kind === "failed") return { kind: "invalid", message: canonical.message };
  const key = givenKey ?? keyOf(request);
  if (typeof key === "object") return key;
  if (key === "") return { kind: "invalid", message: "The key is empty." };
  const length = Buffer.byteLength(key ?? "");
  if (length > keyBytesMax) {
    const message = `the key has ${length} bytes, at most ${keyBytesMax} are taken`;
    return { kind: "invalid", message, over: { limit: "key", length, max: keyBytesMax } };
  }
  const requestHash = digest("sha256", canonical.bytes, "buffer");
  return { request, key: key ?? "", requestHash, issuedMs, limits };
}

/** What equal starts of one key share. */
function canonicalOf({ active, request, sameAs }: StartRequest): CanonicalRequest {
  return sameAs === undefined ? canonicalRequest(active.plan, request) : { kind: "ok", bytes: sameAs };
}

function keyOf({
  active: { plan },
  request,
  metadata,
  idempotencyKey,
}: StartRequest): string | undefined | { readonly kind: "invalid"; readonly message: string } {
  const evaluated = evaluateKey(plan, request, metadata);
  switch (evaluated.kind) {
    case "failed":
      return { kind: "invalid", message: evaluated.message };
    case "key":
      return evaluated.key;
    case "none":
      return idempotencyKey;
  }
}

/** The first event of a run, encoded; its request is left out where it is kept apart. */
export function encodeStart(
  { request, key, requestHash, issuedMs, limits }: Prepared,
  runId: RunId,
  origin: Pick<RunStarted, "parent" | "detachedFrom" | "requestPayload">,
): Uint8Array {
  const { active } = request;
  const metadata: Record<string, string> = {};
  for (const name of active.plan.plan.metadata) {
    const value = request.metadata.get(name);
    if (value !== undefined) metadata[name] = value;
  }
  const value: RunStarted = {
    workflow: active.workflow,
    version: active.version,
    planHash: active.planHash,
    engineRevision,
    key,
    request: origin.requestPayload === undefined ? request.request : new Uint8Array(),
    requestHash,
    issuedAtMs: issuedMs,
    metadata,
    trace: request.trace(runId),
    limits,
    actor: request.actor,
    rerun: undefined,
    schedule: request.schedule,
    event: request.event,
    ...origin,
  };
  return toBytes(Event, { kind: { $case: "runStarted", value } });
}
