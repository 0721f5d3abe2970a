import { fromBinary } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { advance } from "../../../orchestrator/src/engine/advance.ts";
import type { Turn } from "../../../orchestrator/src/engine/advance.ts";
import { describeRun } from "../../../orchestrator/src/engine/describe.ts";
import { describeEvent } from "../../../orchestrator/src/engine/describeEvent.ts";
import type { KeptValue } from "../../../orchestrator/src/engine/expression/result.ts";
import { toJsonText } from "../../../orchestrator/src/engine/keptJson.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import type { LogRecord } from "../../../orchestrator/src/engine/record.ts";
import { newRun } from "../../../orchestrator/src/engine/state.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import {
  historyEvent_KindToJSON,
  Run_State,
  run_StateToJSON,
  stepStatus_StateToJSON,
} from "../../../proto/gen/sidestep/v1/run.ts";
import type { HistoryEvent, RpcStatus, Run as ShownRun } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Timestamp } from "../../../proto/gen/google/protobuf/timestamp.ts";
import { codeName } from "../../../proto/wire/status.ts";
import type { MadeCall } from "../world/sidecar.ts";
import type { EmittedMessage, World } from "../world/world.ts";
import { methodIn } from "./contracts.ts";
import { toPlain } from "./fit.ts";
import type { Json, JsonMessage } from "./plain.ts";
import { runStates, statusCodes, stepStates } from "./views.ts";
import type { CallView, EmittedView, EventView, RunStateName, StatusView, StepView } from "./views.ts";

/** A run as the API shows it; undefined: it has not begun. */
export function shownRun(world: World, runId: string): ShownRun | undefined {
  const [plan, state] = [world.planOf(runId), world.stateOf(runId)];
  return plan === undefined || state === undefined ? undefined : describeRun(plan, state);
}

/** Its history as the API shows it, folded anew. */
export function shownHistory(world: World, runId: string): readonly HistoryEvent[] {
  const events: HistoryEvent[] = [];
  foldAnew(world, runId, (plan, state, record, turn) => events.push(describeEvent(plan, state, record, turn)));
  return events;
}

/** What became of each of its records, folded anew. */
export function turnsOf(world: World, runId: string): readonly Turn[] {
  const turns: Turn[] = [];
  foldAnew(world, runId, (_, __, ___, turn) => turns.push(turn));
  return turns;
}

function foldAnew(
  world: World,
  runId: string,
  onTurn: (plan: LoadedPlan, state: RunState, record: LogRecord, turn: Turn) => void,
): void {
  const plan = world.planOf(runId);
  if (plan === undefined) return;
  const state = newRun(runId);
  for (const stored of world.log.records)
    if (stored.runId === runId) onTurn(plan, state, stored.record, advance(plan, state, stored.record));
}

/** The name of a run's state. */
export function toStateName({ state }: ShownRun): RunStateName {
  return oneOf(runStates, run_StateToJSON(state));
}

/** A failure with its details read, as far as the contracts know their types. */
export function toStatusView(
  registry: Registry,
  status: Pick<RpcStatus, "message" | "details"> & { readonly code: number },
): StatusView {
  const details = status.details.map((any): Json => {
    const name = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
    return { "@type": any.typeUrl, ...payloadOf(registry, name, any.value) };
  });
  return { code: oneOf(statusCodes, codeName(status.code)), message: status.message, details };
}

/** Why the run failed, or fails, with all that the service said; the API shows less of it. */
export function failureOf(registry: Registry, { ended, verdict }: RunState): StatusView | undefined {
  if (ended?.state === Run_State.COMPLETED) return { code: "OK", message: "", details: [] };
  const status =
    ended?.status ?? (verdict === undefined || verdict.kind === "completed" ? undefined : verdict.failure.status);
  return status === undefined ? undefined : toStatusView(registry, status);
}

/** All steps with their results and failures read, compensations last. */
export function toStepViews(registry: Registry, run: ShownRun, state: RunState): readonly StepView[] {
  return run.steps.map((step) => {
    const live = (step.compensation ? state.compensations : state.steps).get(step.path);
    const { result, lastStatus } = live ?? { result: undefined, lastStatus: undefined };
    return {
      path: step.path,
      kind: step.kind,
      state: oneOf(stepStates, stepStatus_StateToJSON(step.state)),
      attempts: step.attempt,
      isUndo: step.compensation,
      result: result === undefined || step.endedAt === undefined ? undefined : valueOf(registry, result),
      error: lastStatus === undefined ? undefined : toStatusView(registry, lastStatus),
      maybeExecuted: step.maybeExecuted,
      startedAt: toDate(step.startedAt),
      endedAt: step.endedAt === undefined ? undefined : toDate(step.endedAt),
    };
  });
}

/** An event with its payload read; its time counts from `startedMs`. */
export function toEventView(registry: Registry, event: HistoryEvent, startedMs: number): EventView {
  const { step, compensation, attempt, status, payload, payloadType, text, actor, ignored } = event;
  return {
    kind: historyEvent_KindToJSON(event.kind),
    step,
    isUndo: compensation,
    attempt,
    status: status === undefined ? undefined : toStatusView(registry, status),
    payload: payloadType === "" ? undefined : payloadOf(registry, payloadType, payload),
    text,
    actor,
    isIgnored: ignored,
    afterMs: toDate(event.time).getTime() - startedMs,
  };
}

/** A call with its request read. */
export function toCallView(registry: Registry, call: MadeCall): CallView {
  const { method, request, runId, step, purpose, attempt, idempotencyKey, headers, atMs } = call;
  const input = methodIn(registry, method)?.input;
  const json: JsonMessage = input === undefined ? {} : toPlain(registry, input, request);
  const requestAs: CallView["requestAs"] = (schema) => fromBinary(schema, request);
  const at = new Date(atMs);
  return { method, request: json, requestAs, runId, step, purpose, attempt, idempotencyKey, headers, at };
}

/** A message of an emit step, read. */
export function toEmittedView(registry: Registry, { message, atMs, ...rest }: EmittedMessage): EmittedView {
  return { ...rest, message: payloadOf(registry, rest.type, message), at: new Date(atMs) };
}

/** Bytes of a type of the contracts as JSON; of any other, nothing. */
export function payloadOf(registry: Registry, type: string, bytes: Uint8Array): JsonMessage {
  const known = registry.getMessage(type);
  return known === undefined ? {} : toPlain(registry, known, bytes);
}

/** Results that are no messages (texts, numbers, lists) are kept in a form of their own. */
function valueOf(registry: Registry, { type, bytes }: KeptValue): Json | undefined {
  if (registry.getMessage(type) !== undefined) return payloadOf(registry, type, bytes);
  const text = toJsonText({ type, bytes }, registry);
  if (text === "") return undefined;
  const json: Json = JSON.parse(text);
  return json;
}

/** The name among those that tests know. */
function oneOf<Name extends string>(names: readonly Name[], name: string): Name {
  const found = names.find((one) => one === name);
  if (found === undefined) throw new Error(`${name} is none of ${names.join(", ")}`);
  return found;
}

function toDate(time: Timestamp | undefined): Date {
  return new Date(time === undefined ? 0 : Number(time.seconds) * 1_000 + time.nanos / 1e6);
}
