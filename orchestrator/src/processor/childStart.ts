import { ErrorInfo } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import type { ParentStep } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { KeyRecord } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { errorDomain } from "../../../proto/wire/headers.ts";
import { fromHex, parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { StartChild } from "../engine/command.ts";
import { toAny } from "../engine/failure.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { childTraceStart } from "../projection/traceContext.ts";
import { sha256 } from "./credentials.ts";
import type { ActiveWorkflow, StartRequest } from "./front.ts";
import { keyPlace } from "./keyPlace.ts";
import type { Ownership } from "./ownership.ts";
import { encodeStart, prepareStart } from "./prepareStart.ts";
import type { Prepared } from "./prepareStart.ts";
import { untilRead } from "./reading.ts";
import type { ResidentRun } from "./residentRun.ts";
import { deferAfterMs } from "./settle.ts";
import { hasStarted, isOrphaned } from "./start.ts";

/** What is to be written for a child. */
export type ChildStart =
  | { readonly kind: "start"; readonly event: Uint8Array }
  | { readonly kind: "refused"; readonly status: RpcStatus }
  /** Its key belongs to a run that has not started, and may yet. */
  | { readonly kind: "later"; readonly reason: string }
  | { readonly kind: "abandoned" };

/** Checks the start of a child as the front door checks that of a run, by what is deployed now, and takes its key. */
export async function prepareChild(
  owner: Ownership,
  run: ResidentRun,
  command: StartChild,
  issuedMs: number,
  childId: RunId,
  parent: ParentStep,
): Promise<ChildStart> {
  const active = await findActive(owner, command.workflow);
  if (active === undefined) {
    const message = `no workflow ${command.workflow} is deployed`;
    return refused(code.NOT_FOUND, "WORKFLOW_NOT_FOUND", message, { workflow: command.workflow });
  }
  const request = toRequest(run, command, active);
  const prepared = prepareStart(owner.limits, request, issuedMs, { givenKey: command.key });
  if ("kind" in prepared) {
    if (prepared.kind === "invalid") return refused(code.INVALID_ARGUMENT, "INVALID_REQUEST", prepared.message, {});
    const { sizeBytes, limitBytes } = prepared;
    const message = `the request has ${sizeBytes} bytes, at most ${limitBytes} are taken (--request-bytes-max)`;
    const metadata = { size_bytes: String(sizeBytes), limit_bytes: String(limitBytes) };
    return refused(code.RESOURCE_EXHAUSTED, "TOO_LARGE", message, metadata);
  }
  const starter = command.detach ? { parent: undefined, detachedFrom: parent } : { parent, detachedFrom: undefined };
  const origin = { ...starter, requestPayload: undefined };
  const start: ChildStart = { kind: "start", event: encodeStart(prepared, childId, origin) };
  return prepared.key === "" ? start : ((await takeKey(owner, prepared, childId)) ?? start);
}

/** What has been deployed a moment ago may not have been heard of here. */
async function findActive(owner: Ownership, workflow: string): Promise<ActiveWorkflow | undefined> {
  const { workflows } = owner;
  const known = await untilRead(owner, "a workflow", () => workflows.active(workflow));
  if (known !== undefined) return known;
  return untilRead(owner, "a workflow", async () => {
    await workflows.refresh();
    return workflows.active(workflow);
  });
}

function toRequest(run: ResidentRun, command: StartChild, active: ActiveWorkflow): StartRequest {
  const { started } = run.state ?? {};
  return {
    active,
    request: command.request,
    metadata: new Map(Object.entries(started?.metadata ?? {})),
    idempotencyKey: undefined,
    trace: () => childTraceStart(run.runId, started?.trace, command.at.step, sha256),
    actor: started?.actor ?? "",
  };
}

/** Undefined: the key is the child's. */
async function takeKey(owner: Ownership, prepared: Prepared, childId: RunId): Promise<ChildStart | undefined> {
  const { workflow } = prepared.request.active;
  const { bucket, hash } = keyPlace(workflow, prepared.key);
  const record: KeyRecord = { runId: fromHex(childId), workflow, requestHash: prepared.requestHash };
  const nextPauseMs = growingPause(50, 2000);
  const patientUntilMs = owner.now() + deferAfterMs;
  // Most keys are free: it is taken before anybody reads it.
  let revision = 0;
  while (!owner.signal.aborted) {
    const taken = await owner.keys.take(bucket, hash, record, revision, owner.signal);
    if (taken.kind === "stored") return undefined;
    if (taken.kind === "abandoned") break;
    const { held } = taken;
    revision = 0;
    if (held === undefined) continue;
    const holder = parseRunId(held.record.runId);
    if (holder === childId) return undefined;
    if (await untilRead(owner, "a key's run", () => isOrphaned(owner, held))) {
      revision = held.revision;
      continue;
    }
    const refusal = await heldBy(owner, holder);
    if (refusal !== undefined) return refusal;
    if (owner.now() > patientUntilMs) return { kind: "later", reason: "the run that holds the key has not started" };
    await pause(nextPauseMs(), owner.signal);
  }
  return { kind: "abandoned" };
}

/** Undefined: the run that has the key has not started, and may yet. */
async function heldBy(owner: Ownership, holder: RunId | undefined): Promise<ChildStart | undefined> {
  const started = holder !== undefined && (await untilRead(owner, "a key's run", () => hasStarted(owner, holder)));
  if (!started) return undefined;
  const message = `the key belongs to run ${holder}`;
  return refused(code.ALREADY_EXISTS, "KEY_HELD", message, { run_id: holder });
}

function refused(
  number: number,
  reason: string,
  message: string,
  metadata: Readonly<Record<string, string>>,
): ChildStart {
  const info = ErrorInfo.encode({ reason, domain: errorDomain, metadata }).finish();
  return { kind: "refused", status: { code: number, message, details: [toAny("google.rpc.ErrorInfo", info)] } };
}
