import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Call_OnDoubt, Call_OnExhausted, Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type {
  Block,
  Call,
  Compensation,
  Expression as StoredExpression,
  Fail,
  ForEach,
  Loop,
  Parallel,
  Step,
  Trigger,
  Try,
  Verify,
  Wait,
} from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { loadExpression } from "./expression/load.ts";
import type { Expression } from "./expression/load.ts";
import { required, toExpression, toPassing, toRequired } from "./loader.ts";
import type { Loader } from "./loader.ts";
import { toApproval, toChildRun, toEmit, toWaitSignal } from "./loadOutside.ts";
import { streamBytesMax, streamMessagesMax } from "./limits.ts";
import type {
  LoadedPlan,
  BlockPlan,
  StepPlan,
  Action,
  CallPlan,
  ParallelPlan,
  ForEachPlan,
  LoopPlan,
  TryPlan,
  VerifyPlan,
  FailPlan,
  CompensationPlan,
  TriggerPlan,
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
  const loader: Loader = {
    steps: [],
    read: new Set(),
    load,
    undoing: { next: plan.stepCount },
    isUndoing: false,
    block: toBlock,
  };
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
    triggers: plan.triggers.map((trigger) => toTrigger(loader, trigger)),
  };
}

/** What it reads is no variable of a run. */
function toTrigger(loader: Loader, trigger: Trigger): TriggerPlan {
  const beside = { ...loader, read: new Set<string>() };
  return {
    trigger,
    when: toExpression(beside, trigger.when),
    input: toRequired(beside, trigger.input, trigger.name),
  };
}

function toBlock(loader: Loader, block: Block): BlockPlan {
  return {
    steps: block.steps.map((step) => toStep(loader, step)),
    result: toExpression(loader, block.result),
  };
}

function toStep(loader: Loader, step: Step): StepPlan {
  const index = loader.isUndoing ? loader.undoing.next++ : step.index;
  const loaded: StepPlan = {
    index,
    name: step.name,
    id: step.id,
    title: step.title,
    when: toExpression(loader, step.when),
    resultType: step.result?.name ?? "",
    isRedacted: step.result?.redacted ?? false,
    action: toAction(loader, step),
    compensate: step.compensate === undefined ? undefined : toCompensation(loader, step.compensate),
    lock: toExpression(loader, step.lock),
  };
  loader.steps[index] = loaded;
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
      return { kind: "parallel", ...toParallel(loader, kind.value) };
    case "wait":
      return toWait(loader, kind.value);
    case "let":
      return { kind: "let", value: toRequired(loader, kind.value, step.name) };
    case "fail":
      return { kind: "fail", fail: toFail(loader, kind.value) };
    case "return":
      return { kind: "return", value: required(toPassing(loader, kind.value), step.name) };
    case "forEach":
      return { kind: "forEach", forEach: toForEach(loader, kind.value, step.name) };
    case "loop":
      return { kind: "loop", loop: toLoop(loader, kind.value, step.name) };
    case "try":
      return { kind: "try", try: toTry(loader, kind.value, step.name) };
    case "compensateNow":
      return { kind: "compensateNow" };
    case "signal":
      return { kind: "signal", signal: toWaitSignal(loader, kind.value) };
    case "approve":
      return { kind: "approve", approval: toApproval(loader, kind.value) };
    case "run":
      return { kind: "run", run: toChildRun(loader, kind.value) };
    case "emit":
      return { kind: "emit", emit: toEmit(loader, kind.value) };
    case "yield":
      return { kind: "yield", value: toRequired(loader, kind.value, step.name) };
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
    requestType: call.requestType,
    responseType: call.responseType,
    resultType: call.serverStreaming ? `list(${call.responseType})` : call.responseType,
    stream: call.serverStreaming
      ? { messagesMax: call.messagesMax || streamMessagesMax, bytesMax: call.bytesMax || streamBytesMax }
      : undefined,
    verify: call.verify === undefined ? undefined : toVerify(loader, call, call.verify),
    passesInput: call.passesInput,
  };
}

/** Asking is harmless: it is tried again whatever came of it, and what it comes to is the doubtful call's affair. */
function toVerify(loader: Loader, call: Call, verify: Verify): VerifyPlan {
  const asking: Call = {
    ...call,
    method: verify.method,
    request: verify.request,
    requestType: "",
    responseType: verify.responseType,
    stepTimeoutMs: undefined,
    onDoubt: Call_OnDoubt.RETRY,
    onExhausted: Call_OnExhausted.ON_EXHAUSTED_FAIL,
    idempotent: true,
    verify: undefined,
    serverStreaming: false,
    passesInput: false,
  };
  return {
    call: toCall(loader, asking),
    done: toRequired(loader, verify.done, verify.method),
    result: toExpression(loader, verify.result),
  };
}

function toParallel(loader: Loader, { branches, need }: Parallel): ParallelPlan {
  return {
    branches: branches.map((branch) => toBlock(loader, branch)),
    need: need === 0 ? branches.length : need,
    takesFirst: need === 1,
  };
}

function toForEach(loader: Loader, stored: ForEach, name: string): ForEachPlan {
  return {
    in: toRequired(loader, stored.in, name),
    as: stored.as,
    indexAs: stored.indexAs,
    parallelMax: stored.maxParallel,
    body: toBlock(loader, required(stored.body, name)),
  };
}

function toLoop(loader: Loader, stored: Loop, name: string): LoopPlan {
  return {
    while: toExpression(loader, stored.while),
    until: toExpression(loader, stored.until),
    iterationsMax: stored.maxIterations,
    pauseMs: stored.pauseMs,
    carries: stored.carries.map((carry) => ({
      name: carry.name,
      type: carry.type?.name ?? "",
      init: toRequired(loader, carry.init, carry.name),
      next: toRequired(loader, carry.next, carry.name),
    })),
    body: toBlock(loader, required(stored.body, name)),
  };
}

function toTry(loader: Loader, stored: Try, name: string): TryPlan {
  return {
    body: toBlock(loader, required(stored.body, name)),
    catches: stored.catches.map(({ codes, reason, domain, detailType, when, block }) => ({
      codes: new Set(codes),
      reason,
      domain,
      detailType,
      when: toExpression(loader, when),
      block: toBlock(loader, required(block, name)),
    })),
    finally: stored.finally === undefined ? undefined : toBlock(loader, stored.finally),
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
    rethrows: fail.rethrows,
    code: fail.code,
    message: toExpression(loader, fail.message),
    details: fail.details.map(({ type, value }) => ({ type, value: toRequired(loader, value, type) })),
  };
}

function toCompensation(loader: Loader, { when, call, block }: Compensation): CompensationPlan {
  return {
    when: toExpression(loader, when),
    undo:
      block === undefined
        ? { kind: "call", call: toCall(loader, required(call, "compensating call")) }
        : { kind: "block", block: toBlock({ ...loader, isUndoing: true }, block) },
  };
}
