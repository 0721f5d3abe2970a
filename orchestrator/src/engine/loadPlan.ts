import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Call_OnDoubt, Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type {
  Block,
  Call,
  Compensation,
  Expression as StoredExpression,
  Fail,
  Step,
  Wait,
} from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { loadExpression } from "./expression/load.ts";
import type { Expression } from "./expression/load.ts";
import { streamBytesMax, streamMessagesMax } from "./limits.ts";
import type {
  Action,
  BlockPlan,
  CallPlan,
  CompensationPlan,
  FailPlan,
  LoadedPlan,
  PlannedExpression,
  StepPlan,
} from "./plan.ts";

/** Loads a plan's stored bytes. Throws when they are not a plan that the compiler made. */
export function loadPlan(bytes: Uint8Array): LoadedPlan {
  const plan = Plan.decode(bytes);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, plan.descriptors));
  return toLoadedPlan(plan, registry, (stored) => loadExpression(stored.checked, registry));
}

/** Like loadPlan, of a decoded plan; `load` makes each expression. */
export function toLoadedPlan(
  plan: Plan,
  registry: Registry,
  load: (stored: StoredExpression) => Expression,
): LoadedPlan {
  const loader: Loader = { steps: [], read: new Set(), load };
  const body = toBlock(loader, required(plan.body, "body"));
  return {
    plan,
    registry,
    body,
    read: loader.read,
    steps: loader.steps,
    key: toExpression(loader, plan.key),
    output: toPassing(loader, plan.output),
    attributes: plan.attributes.map(({ name, value }) => ({ name, value: toRequired(loader, value, name) })),
    signals: plan.signals.map(({ name, type, method, key, start }) => ({
      name,
      type,
      method,
      key: toExpression(loader, key),
      start: toExpression(loader, start),
    })),
    queries: plan.queries.map(({ method, requestType, responseType, key, output }) => ({
      method,
      requestType,
      responseType,
      key: toRequired(loader, key, method),
      output: toRequired(loader, output, method),
    })),
  };
}

interface Loader {
  readonly steps: StepPlan[];
  readonly read: Set<string>;
  readonly load: (stored: StoredExpression) => Expression;
}

function toBlock(loader: Loader, block: Block): BlockPlan {
  return {
    steps: block.steps.map((step) => toStep(loader, step)),
    result: toExpression(loader, block.result),
  };
}

function toStep(loader: Loader, step: Step): StepPlan {
  const loaded: StepPlan = {
    index: step.index,
    name: step.name,
    id: step.id,
    title: step.title,
    when: toExpression(loader, step.when),
    resultType: step.result?.name ?? "",
    action: toAction(loader, step),
    compensate: step.compensate === undefined ? undefined : toCompensation(loader, step.compensate),
  };
  loader.steps[step.index] = loaded;
  return loaded;
}

function toAction(loader: Loader, step: Step): Action {
  const kind = required(step.kind, `kind of ${step.name}`);
  switch (kind.$case) {
    case "call":
      return { kind: "call", call: toCall(loader, kind.value) };
    case "switch":
      return {
        kind: "switch",
        cases: kind.value.cases.map((it) => ({
          when: toRequired(loader, it.when, step.name),
          block: toBlock(loader, required(it.block, step.name)),
        })),
        otherwise: kind.value.default === undefined ? undefined : toBlock(loader, kind.value.default),
      };
    case "parallel":
      return { kind: "parallel", branches: kind.value.branches.map((branch) => toBlock(loader, branch)) };
    case "wait":
      return toWait(loader, kind.value);
    case "let":
      return { kind: "let", value: toRequired(loader, kind.value, step.name) };
    case "fail":
      return { kind: "fail", fail: toFail(loader, kind.value) };
    case "return":
      return { kind: "return", value: required(toPassing(loader, kind.value), step.name) };
    case "run":
    case "forEach":
    case "loop":
    case "signal":
    case "approve":
    case "try":
    case "emit":
    case "yield":
    case "compensateNow":
      throw new Error(`this engine does not know the kind ${kind.$case}`);
  }
}

function toCall(loader: Loader, call: Call): CallPlan {
  const retry = required(call.retry, `retry of ${call.method}`);
  return {
    method: call.method,
    request: toPassing(loader, call.request),
    headers: call.headers.map(({ key, value, secret }) =>
      secret === "" ? { key, value: toRequired(loader, value, key) } : { key, secret },
    ),
    timeoutMs: call.timeoutMs,
    stepTimeoutMs: call.stepTimeoutMs,
    queueNoticeMs: call.queueNoticeMs,
    retry: {
      attemptsMax: retry.attemptsMax,
      backoffMs: retry.backoffMs,
      backoffMaxMs: retry.backoffMaxMs,
      multiplier: retry.multiplier,
      on: new Set(retry.on),
    },
    onDoubt: call.onDoubt,
    onExhausted: call.onExhausted,
    isIdempotent: call.idempotent,
    isClaimed: call.onDoubt !== Call_OnDoubt.RETRY && !call.idempotent,
    responseType: call.responseType,
    resultType: call.serverStreaming ? `list(${call.responseType})` : call.responseType,
    stream: call.serverStreaming
      ? { messagesMax: call.messagesMax || streamMessagesMax, bytesMax: call.bytesMax || streamBytesMax }
      : undefined,
    passesInput: call.passesInput,
  };
}

function toWait(loader: Loader, wait: Wait): Action {
  const kind = required(wait.kind, "kind of wait");
  switch (kind.$case) {
    case "forMs":
      return { kind: "wait", forMs: kind.value };
    case "until":
      return { kind: "waitUntil", until: toRequired(loader, kind.value, "until") };
  }
}

function toFail(loader: Loader, fail: Fail): FailPlan {
  return {
    code: fail.code,
    message: toExpression(loader, fail.message),
    details: fail.details.map(({ type, value }) => ({ type, value: toRequired(loader, value, type) })),
  };
}

function toCompensation(loader: Loader, { when, call }: Compensation): CompensationPlan {
  return { when: toExpression(loader, when), call: toCall(loader, required(call, "compensating call")) };
}

function toExpression(loader: Loader, stored: StoredExpression | undefined): PlannedExpression | undefined {
  if (stored === undefined) return undefined;
  const expression = loader.load(stored);
  for (const name of expression.reads) loader.read.add(name);
  return { expression, place: stored.path };
}

/** One whose value may go on without being looked at. */
function toPassing(loader: Loader, stored: StoredExpression | undefined): PlannedExpression | undefined {
  if (stored === undefined) return undefined;
  const expression = loader.load(stored);
  if (expression.passes === undefined) for (const name of expression.reads) loader.read.add(name);
  return { expression, place: stored.path };
}

function toRequired(loader: Loader, stored: StoredExpression | undefined, name: string): PlannedExpression {
  return required(toExpression(loader, stored), name);
}

function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`the plan is not the compiler's: ${name} is missing`);
  return value;
}
