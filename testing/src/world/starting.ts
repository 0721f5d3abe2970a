import { hash } from "node:crypto";
import type { StartChild } from "../../../orchestrator/src/engine/command.ts";
import { toStatus } from "../../../orchestrator/src/engine/failure.ts";
import { evaluateKey } from "../../../orchestrator/src/engine/key.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import { canonicalRequest } from "../../../orchestrator/src/engine/request.ts";
import { engineRevision } from "../../../orchestrator/src/engine/revision.ts";
import type { Limits, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";

/** A start of a run. */
export interface Start {
  readonly plan: LoadedPlan;
  readonly request: Uint8Array;
  /** Headers of the caller, lower case. */
  readonly metadata?: ReadonlyMap<string, string> | undefined;
  /** Of the idempotency-key header: the key of a workflow that has none. */
  readonly idempotencyKey?: string | undefined;
  /** Wins over the workflow's own key. */
  readonly givenKey?: string | undefined;
  readonly actor?: string | undefined;
  readonly origin?: Partial<Pick<RunStarted, "parent" | "detachedFrom">>;
}

/** The first event of a run, or why there can't be one; as the front door checks it. */
export function toStarted(start: Start, nowMs: number, limits: Limits): RunStarted | RpcStatus {
  const { plan, request, metadata = new Map<string, string>(), givenKey, idempotencyKey, actor = "" } = start;
  const canonical = canonicalRequest(plan, request);
  if (canonical.kind === "failed") return toStatus(code.INVALID_ARGUMENT, canonical.message);
  const evaluated = givenKey === undefined ? evaluateKey(plan, request, metadata) : undefined;
  if (evaluated?.kind === "failed") return toStatus(code.INVALID_ARGUMENT, evaluated.message);
  const key = givenKey ?? (evaluated?.kind === "key" ? evaluated.key : (idempotencyKey ?? ""));
  const read = plan.plan.metadata.flatMap((name) => {
    const value = metadata.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    workflow: plan.plan.workflow,
    version: 1,
    planHash: planHash(plan),
    engineRevision,
    key,
    request,
    requestHash: hash("sha256", canonical.bytes, "buffer"),
    issuedAtMs: nowMs,
    metadata: Object.fromEntries(read),
    trace: undefined,
    limits,
    actor,
    parent: undefined,
    detachedFrom: undefined,
    requestPayload: undefined,
    rerun: undefined,
    schedule: undefined,
    event: undefined,
    ...start.origin,
  };
}

/** The same for a run that a step of another one starts. */
export function toChildStarted(
  parent: { readonly runId: string; readonly started: RunStarted | undefined },
  plan: LoadedPlan,
  { at, request, key, detach }: StartChild,
  nowMs: number,
  limits: Limits,
): RunStarted | RpcStatus {
  const step = { runId: fromHex(parent.runId), ...at };
  const metadata = new Map(Object.entries(parent.started?.metadata ?? {}));
  const origin = detach ? { detachedFrom: step } : { parent: step };
  const actor = parent.started?.actor;
  return toStarted({ plan, request, metadata, givenKey: key, actor, origin }, nowMs, limits);
}

/** SHA-256 of a plan's bytes: its name in the definitions store. */
export function planHash({ plan }: LoadedPlan): Uint8Array {
  const known = hashes.get(plan);
  if (known !== undefined) return known;
  const made = new Uint8Array(hash("sha256", Plan.encode(plan).finish(), "buffer"));
  hashes.set(plan, made);
  return made;
}

const hashes = new WeakMap<Plan, Uint8Array>();
