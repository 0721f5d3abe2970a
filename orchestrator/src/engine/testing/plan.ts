import { create, createFileRegistry, createRegistry } from "@bufbuild/protobuf";
import { EmptySchema, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import {
  Call_OnDoubt as OnDoubt,
  Call_OnExhausted as OnExhausted,
  Plan_Order as Order,
} from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import type {
  Block,
  Call,
  Expression as StoredExpression,
  Plan,
  Step,
  WaitSignal,
} from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import { code } from "../../../../proto/wire/status.ts";
import { toLoadedPlan } from "../loadPlan.ts";
import type { LoadedPlan } from "../plan.ts";
import { loadTestExpression, makeExpression, testType } from "./expression.ts";
import type { Wanted } from "./expression.ts";
import type { StepSketch, ActionSketch, DueSketch, BlockSketch, CallSketch, PlanSketch } from "./sketch.ts";

/** A plan of a test, loaded without the compiler. */
export function makePlan(sketch: PlanSketch): LoadedPlan {
  return toLoadedPlan(makeStoredPlan(sketch), testTypes, loadTestExpression);
}

/** What the test's rpcs take and answer with: messages without fields. */
const testFile = create(FileDescriptorProtoSchema, {
  name: "test/v1/test.proto",
  package: "test.v1",
  syntax: "proto3",
  messageType: [{ name: "Request" }, { name: "Response" }, { name: "Signal" }],
});
const testTypes = createRegistry(
  EmptySchema,
  createFileRegistry(testFile, () => undefined),
);

/** The stored form of it. */
export function makeStoredPlan(sketch: PlanSketch): Plan {
  const count = { next: 0 };
  const body = toBlock({ steps: sketch.steps }, "", count);
  return {
    workflow: "test.v1.Workflow/Run",
    requestType: "test.v1.Request",
    responseType: "test.v1.Response",
    engineRevision: 1,
    timeoutMs: sketch.timeoutMs,
    saga: Order[sketch.saga ?? "REVERSE"],
    key: sketch.key === undefined ? undefined : makeExpression("string", sketch.key, "key"),
    attributes: Object.entries(sketch.attributes ?? {}).map(([name, value]) => ({
      name,
      value: makeExpression("kept", value, `attribute.${name}`),
    })),
    body,
    output: sketch.output === undefined ? undefined : makeExpression("kept", sketch.output, "output"),
    outputStep: sketch.outputStep === undefined ? undefined : indexOf(body, sketch.outputStep),
    stepCount: count.next,
    descriptors: new Uint8Array(),
    retentionMs: 0,
    metadata: [],
    methods: [],
    signals: (sketch.signals ?? []).map((name) => ({
      name,
      type: "test.v1.Signal",
      method: "",
      key: undefined,
      start: undefined,
    })),
    triggers: [],
    queries: Object.entries(sketch.queries ?? {}).map(([method, output]) => ({
      method,
      requestType: "test.v1.Question",
      responseType: "test.v1.Answer",
      key: makeExpression("string", "input", `${method}.key`),
      output: makeExpression("kept", output, `${method}.output`),
    })),
    streaming: sketch.streaming ?? false,
  };
}

function indexOf(block: Block, id: string): number | undefined {
  return block.steps.find((step) => step.id === id)?.index;
}

function toBlock(block: BlockSketch, prefix: string, count: { next: number }): Block {
  return {
    steps: block.steps.map((step, i) => toStep(step, `${prefix}step[${i}]`, count)),
    result: block.result === undefined ? undefined : makeExpression("kept", block.result, `${prefix}result`),
  };
}

function toStep(sketch: StepSketch, place: string, count: { next: number }): Step {
  const index = count.next++;
  return {
    index,
    name: sketch.id ?? place,
    id: sketch.id ?? "",
    title: "",
    when: sketch.when === undefined ? undefined : makeExpression("bool", sketch.when, `${place}.when`),
    result: { name: resultTypeOf(sketch.action), redacted: false },
    kind: toKind(sketch.action, place, count),
    compensate: toCompensation(sketch, place),
    lock: sketch.lock === undefined ? undefined : makeExpression("string", sketch.lock, `${place}.lock`),
  };
}

/** The compiler says it where the definition has a value for each block. */
function resultTypeOf(action: ActionSketch): string {
  switch (action.kind) {
    case "parallel":
      if (action.branches.some(({ result }) => result === undefined)) return "";
      return action.need === 1 ? testType : `list(${testType})`;
    case "forEach":
      return action.body.result === undefined ? "" : `list(${testType})`;
    case "loop":
      if (action.body.result !== undefined) return `list(${testType})`;
      return action.carries === undefined ? "" : testType;
    default:
      return "";
  }
}

function toCompensation({ undo, undoBlock }: StepSketch, place: string): Step["compensate"] {
  const when = undo?.when ?? undoBlock?.when;
  if (undo === undefined && undoBlock === undefined) return undefined;
  return {
    when: boolOf(when, `${place}.compensate.when`),
    call: undo === undefined ? undefined : toCall(undo, `${place}.compensate.call`),
    block: undoBlock === undefined ? undefined : toBlock(undoBlock, "", { next: 0 }),
  };
}

function boolOf(source: string | undefined, place: string): StoredExpression | undefined {
  return source === undefined ? undefined : makeExpression("bool", source, place);
}

function toKind(action: ActionSketch, place: string, count: { next: number }): Step["kind"] {
  switch (action.kind) {
    case "call":
      return { $case: "call", value: toCall(action, `${place}.call`) };
    case "switch":
      return {
        $case: "switch",
        value: {
          cases: action.cases.map(({ when, block }, i) => ({
            when: makeExpression("bool", when, `${place}.switch.case[${i}].when`),
            block: toBlock(block, `${place}.case[${i}].`, count),
          })),
          default: action.otherwise === undefined ? undefined : toBlock(action.otherwise, `${place}.default.`, count),
        },
      };
    case "parallel":
      return {
        $case: "parallel",
        value: {
          branches: action.branches.map((branch, i) => toBlock(branch, `${place}.branch[${i}].`, count)),
          need: action.need ?? 0,
        },
      };
    case "forEach":
      return {
        $case: "forEach",
        value: {
          in: makeExpression("kept", action.in, `${place}.for_each.in`),
          as: action.as ?? "it",
          type: { name: testType, redacted: false },
          indexAs: "index",
          maxParallel: action.atOnce ?? 0,
          body: toBlock(action.body, `${place}.`, count),
        },
      };
    case "loop":
      return {
        $case: "loop",
        value: {
          while: boolOf(action.while, `${place}.loop.while`),
          until: boolOf(action.until, `${place}.loop.until`),
          maxIterations: action.max,
          pauseMs: action.pauseMs ?? 0,
          carries: (action.carries ?? []).map(({ name, init, next }) => ({
            name,
            type: { name: testType, redacted: false },
            init: makeExpression("kept", init, `${place}.loop.carry.init`),
            next: makeExpression("kept", next, `${place}.loop.carry.next`),
          })),
          body: toBlock(action.body, `${place}.`, count),
        },
      };
    case "try":
      return {
        $case: "try",
        value: {
          body: toBlock(action.body, `${place}.`, count),
          catches: (action.catches ?? []).map(({ codes, reason, domain, detailType, when, block }, i) => ({
            codes: (codes ?? []).map((name) => code[name]),
            reason: reason ?? "",
            domain: domain ?? "",
            detailType: detailType ?? "",
            when: boolOf(when, `${place}.catch[${i}].when`),
            block: toBlock(block, `${place}.catch[${i}].`, count),
          })),
          finally: action.finally === undefined ? undefined : toBlock(action.finally, `${place}.finally.`, count),
        },
      };
    case "compensateNow":
      return { $case: "compensateNow", value: {} };
    case "wait":
      return { $case: "wait", value: { kind: { $case: "forMs", value: action.forMs } } };
    case "until":
      return {
        $case: "wait",
        value: { kind: { $case: "until", value: makeExpression("timestamp", action.until, `${place}.until`) } },
      };
    case "let":
      return { $case: "let", value: makeExpression("kept", action.value, `${place}.let`) };
    case "fail":
      return {
        $case: "fail",
        value: {
          code: action.code === undefined ? 0 : code[action.code],
          message:
            action.message === undefined
              ? undefined
              : makeExpression("string", action.message, `${place}.fail.message`),
          details:
            action.detail === undefined
              ? []
              : [{ type: "test.v1.Detail", value: makeExpression("kept", action.detail, `${place}.fail.detail[0]`) }],
          rethrows: action.code === undefined,
        },
      };
    case "return":
      return { $case: "return", value: makeExpression("kept", action.value, `${place}.return`) };
    case "yield":
      return { $case: "yield", value: makeExpression("kept", action.value, `${place}.yield`) };
    case "signal":
      return {
        $case: "signal",
        value: {
          name: action.name,
          type: "test.v1.Signal",
          when: optional("bool", action.when, `${place}.signal.when`),
          ...toDue(action, `${place}.signal`, count),
        },
      };
    case "approve":
      return {
        $case: "approve",
        value: {
          title: optional("string", action.title, `${place}.approve.title`),
          detail: undefined,
          approvers: optional("kept", action.approvers, `${place}.approve.approvers`),
          type: action.type ?? "",
          ...toDue(action, `${place}.approve`, count),
          onReject: action.onReject === undefined ? undefined : toBlock(action.onReject, `${place}.on_reject.`, count),
        },
      };
    case "run":
      return {
        $case: "run",
        value: {
          method: action.workflow,
          request: optional("kept", action.request, `${place}.run.request`),
          key: optional("string", action.key, `${place}.run.key`),
          detach: action.detach ?? false,
          responseType: "test.v1.ChildResponse",
        },
      };
    case "emit":
      return {
        $case: "emit",
        value: {
          subject: makeExpression("string", action.subject, `${place}.emit.subject`),
          type: "test.v1.Message",
          message: optional("kept", action.message, `${place}.emit.message`),
        },
      };
  }
}

function optional(wanted: Wanted, source: string | undefined, path: string): StoredExpression | undefined {
  return source === undefined ? undefined : makeExpression(wanted, source, path);
}

function toDue(
  { timeoutMs, deadline, onTimeout }: DueSketch,
  place: string,
  count: { next: number },
): Pick<WaitSignal, "timeoutMs" | "deadline" | "onTimeout"> {
  return {
    timeoutMs,
    deadline: optional("timestamp", deadline, `${place}.deadline`),
    onTimeout: onTimeout === undefined ? undefined : toBlock(onTimeout, `${place}.on_timeout.`, count),
  };
}

function toCall(sketch: CallSketch, place: string): Call {
  return {
    method: sketch.method,
    requestType: "",
    request: sketch.request === undefined ? undefined : makeExpression("kept", sketch.request, `${place}.request`),
    headers: Object.entries(sketch.headers ?? {}).map(([key, value]) => ({
      key,
      value: makeExpression("string", value, `${place}.header.${key}`),
      secret: "",
    })),
    timeoutMs: sketch.timeoutMs ?? 30_000,
    stepTimeoutMs: sketch.stepTimeoutMs,
    queueNoticeMs: sketch.noticeMs ?? 0,
    retry: {
      attemptsMax: sketch.attempts ?? 8,
      backoffMs: sketch.backoffMs ?? 500,
      backoffMaxMs: sketch.backoffMaxMs ?? 60_000,
      multiplier: 2,
      on: (sketch.on ?? []).map((name) => code[name]),
    },
    onDoubt: OnDoubt[sketch.doubt ?? "RETRY"],
    onExhausted: OnExhausted[`ON_EXHAUSTED_${sketch.exhausted ?? "PAUSE"}`],
    idempotent: sketch.isIdempotent ?? false,
    responseType: "test.v1.Response",
    verify:
      sketch.verify === undefined
        ? undefined
        : {
            method: sketch.verify.method,
            request: optional("kept", sketch.verify.request, `${place}.verify.request`),
            done: makeExpression("bool", sketch.verify.done, `${place}.verify.done`),
            result: optional("kept", sketch.verify.result, `${place}.verify.result`),
            responseType: "test.v1.Verified",
          },
    serverStreaming: sketch.streamMax !== undefined,
    messagesMax: sketch.streamMax ?? 0,
    bytesMax: 0,
    passesInput: sketch.passesInput ?? false,
  };
}
