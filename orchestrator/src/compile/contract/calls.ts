import type { Block, Call, Plan, Step, Verify } from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import { mentionsOf } from "../cel/mentions.ts";
import { readContract } from "./contract.ts";
import type { Contract } from "./contract.ts";
import { differencesOf } from "./differences.ts";
import type { CalledMethod, Difference } from "./differences.ts";
import type { Usage } from "./usage.ts";

/** A call that a plan makes, and how it knows the method. */
export interface PlannedCall {
  /** As paths of runs call the step, without its passes. */
  readonly step: string;
  /** It undoes that step. */
  readonly isCompensation: boolean;
  readonly method: string;
  readonly called: CalledMethod;
  readonly request: Usage;
}

/** What a plan calls, and how it knows all of that. */
export interface PlannedCalls {
  readonly calls: readonly PlannedCall[];
  readonly contract: Contract;
  readonly response: Usage;
}

/** Every call of a plan, in the order of the definition; child runs are calls of the workflow's own rpc. */
export function callsOf(plan: Plan): PlannedCalls {
  const names = new Set<string>();
  eachExpression(plan, (checked) => {
    for (const name of mentionsOf(checked).names) names.add(name);
  });
  const calls: PlannedCall[] = [];
  eachStep(plan.body, false, (step, isCompensation) => calls.push(...callsOfStep(plan, step, isCompensation)));
  const contract = readContract(plan.descriptors) ?? emptyContract;
  return { calls, contract, response: { kind: "named", names } };
}

const emptyContract: Contract = {
  methods: new Map(),
  services: new Set(),
  messages: new Map(),
  enums: new Map(),
};

/** What goes wrong when a planned call meets the method as another contract has it. */
export function differencesOfCall(
  { contract, response }: PlannedCalls,
  call: PlannedCall,
  there: Contract,
): readonly Difference[] {
  return differencesOf(call.method, call.called, contract, there, { request: call.request, response });
}

function callsOfStep(plan: Plan, step: Step, isCompensation: boolean): readonly PlannedCall[] {
  const found: PlannedCall[] = [];
  const add = (call: Call | undefined, undoes: boolean): void => {
    if (call === undefined) return;
    const common = { step: step.name, isCompensation: undoes };
    found.push({ ...common, method: call.method, called: calledBy(plan, call), request: usageOf(call) });
    if (call.verify !== undefined) found.push({ ...common, ...verifying(call.verify) });
  };
  if (step.kind?.$case === "call") add(step.kind.value, isCompensation);
  add(step.compensate?.call, true);
  if (step.kind?.$case === "run") {
    const { method, responseType, request } = step.kind.value;
    const called = { request: request === undefined ? "" : typeOf(request.checked), response: responseType };
    found.push({
      step: step.name,
      isCompensation,
      method,
      called: { ...called, serverStreaming: false },
      request: usageOf({ request, passesInput: false }),
    });
  }
  return found;
}

function calledBy(plan: Plan, call: Call): CalledMethod {
  const built = call.passesInput ? plan.requestType : call.request === undefined ? "" : typeOf(call.request.checked);
  return {
    // Plans of earlier versions don't name it.
    request: call.requestType === "" ? built : call.requestType,
    response: call.responseType,
    serverStreaming: call.serverStreaming,
  };
}

function verifying({ method, request, responseType }: Verify): Omit<PlannedCall, "step" | "isCompensation"> {
  const called = { request: request === undefined ? "" : typeOf(request.checked), response: responseType };
  return {
    method,
    called: { ...called, serverStreaming: false },
    request: usageOf({ request, passesInput: false }),
  };
}

/** An empty request sets nothing; one that is built sets what is built; any other has whatever it has. */
function usageOf({ request, passesInput }: Pick<Call, "request" | "passesInput">): Usage {
  if (passesInput) return { kind: "all" };
  if (request === undefined) return { kind: "named", names: new Set() };
  return { kind: "built", fields: mentionsOf(request.checked).builds };
}

function typeOf(checked: Uint8Array): string {
  return mentionsOf(checked).type;
}

/** Visits each step of a block and of the blocks inside, compensating ones too. */
function eachStep(
  block: Block | undefined,
  isCompensation: boolean,
  visit: (step: Step, isCompensation: boolean) => void,
): void {
  for (const step of block?.steps ?? []) {
    visit(step, isCompensation);
    for (const inner of blocksOf(step)) eachStep(inner, isCompensation, visit);
    eachStep(step.compensate?.block, true, visit);
  }
}

function blocksOf({ kind }: Step): readonly (Block | undefined)[] {
  switch (kind?.$case) {
    case "switch":
      return [...kind.value.cases.map(({ block }) => block), kind.value.default];
    case "parallel":
      return kind.value.branches;
    case "forEach":
    case "loop":
      return [kind.value.body];
    case "signal":
      return [kind.value.onTimeout];
    case "approve":
      return [kind.value.onTimeout, kind.value.onReject];
    case "try":
      return [kind.value.body, ...kind.value.catches.map(({ block }) => block), kind.value.finally];
    case "call":
    case "wait":
    case "let":
    case "fail":
    case "return":
    case "run":
    case "emit":
    case "yield":
    case "compensateNow":
    case undefined:
      return [];
  }
}

/** Visits the checked bytes of every expression inside, wherever it stands. */
function eachExpression(part: unknown, visit: (checked: Uint8Array) => void): void {
  if (typeof part !== "object" || part === null || part instanceof Uint8Array) return;
  if ("checked" in part && part.checked instanceof Uint8Array) {
    if (part.checked.length > 0) visit(part.checked);
    return;
  }
  for (const value of Object.values(part)) eachExpression(value, visit);
}
