import type {
  Approval,
  Block,
  Compensation,
  Expression,
  Loop,
  Plan,
  Step,
} from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Plan_Order } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { DefinedBlock_Role as Role } from "../../../proto/gen/sidestep/v1/definitions.ts";
import type {
  DefinedBlock,
  DefinedStep,
  DescribeDefinitionResponse,
} from "../../../proto/gen/sidestep/v1/definitions.ts";
import { codeName } from "../../../proto/wire/status.ts";
import { describeCall } from "./describedCall.ts";
import { expressionOf, textOf, timeOf } from "./definedSetting.ts";

/** A plan as its author wrote it: steps as a tree, each with what stands in it. */
export function describePlan(plan: Plan, version: number): DescribeDefinitionResponse {
  const { workflow, requestType, responseType, descriptors, streaming } = plan;
  return {
    workflow,
    version,
    requestType,
    responseType,
    descriptors,
    streaming,
    settings: [
      ...expressionOf("key", plan.key),
      ...timeOf("timeout", plan.timeoutMs),
      ...textOf("saga", plan.saga === Plan_Order.REVERSE ? "" : (sagas[plan.saga] ?? "")),
      ...plan.attributes.flatMap(({ name, value }) => expressionOf(`attribute ${name}`, value)),
      ...textOf("metadata", plan.metadata.join(", ")),
      ...expressionOf("output", plan.output),
    ],
    steps: stepsOf(plan.body),
  };
}

const sagas: Readonly<Record<number, string>> = { [Plan_Order.PARALLEL]: "PARALLEL", [Plan_Order.MANUAL]: "MANUAL" };

function stepsOf(block: Block | undefined): DefinedStep[] {
  return block?.steps.map(toStep) ?? [];
}

type Told = Pick<DefinedStep, "kind"> & Partial<Omit<DefinedStep, "kind">>;

function toStep(step: Step): DefinedStep {
  const told = toTold(step);
  const compensation = toCompensation(step.compensate);
  return {
    name: step.name,
    id: step.id,
    title: step.title,
    method: "",
    requestType: "",
    resultType: step.result?.name ?? "",
    blocks: [],
    ...told,
    settings: [...expressionOf("when", step.when), ...(told.settings ?? []), ...expressionOf("lock", step.lock)],
    compensation: compensation === undefined ? undefined : { ...compensation, name: step.name, id: step.id },
  };
}

function toCompensation(compensation: Compensation | undefined): DefinedStep | undefined {
  if (compensation === undefined) return undefined;
  const { when, call, block } = compensation;
  if (call === undefined && block === undefined) return undefined;
  const base = { name: "", id: "", title: "", resultType: "", compensation: undefined };
  const conditions = expressionOf("when", when);
  if (call !== undefined) {
    const told = describeCall(call);
    return { ...base, ...told, settings: [...conditions, ...told.settings], blocks: [] };
  }
  const blocks = [toBlock(Role.BODY, "", block)];
  return { ...base, kind: "block", method: "", requestType: "", settings: conditions, blocks };
}

function toBlock(role: Role, label: string, block: Block | undefined): DefinedBlock {
  return { role, label, steps: stepsOf(block) };
}

function optional(role: Role, label: string, block: Block | undefined): DefinedBlock[] {
  return block === undefined ? [] : [toBlock(role, label, block)];
}

function toTold({ kind }: Step): Told {
  switch (kind?.$case) {
    case "call":
      return describeCall(kind.value);
    case "run": {
      const { method, request, key, detach } = kind.value;
      const settings = [
        ...expressionOf("request", request),
        ...expressionOf("key", key),
        ...textOf("detach", detach ? "true" : ""),
      ];
      return { kind: "run", method, settings };
    }
    case "switch": {
      const cases = kind.value.cases.map((one) => toBlock(Role.CASE, one.when?.source ?? "", one.block));
      return { kind: "switch", blocks: [...cases, ...optional(Role.DEFAULT, "otherwise", kind.value.default)] };
    }
    case "parallel": {
      const { branches, need } = kind.value;
      const blocks = branches.map((one) => toBlock(Role.BRANCH, "", one));
      return { kind: "parallel", blocks, settings: textOf("need", need === 0 ? "" : `${need} of ${branches.length}`) };
    }
    case "forEach": {
      const { in: list, as, indexAs, maxParallel, body } = kind.value;
      const settings = [
        ...expressionOf("in", list),
        ...textOf("as", as),
        ...textOf("index_as", indexAs === "index" ? "" : indexAs),
        ...textOf("max_parallel", maxParallel === 0 ? "" : String(maxParallel)),
        ...expressionOf("collect", body?.result),
      ];
      return { kind: "for_each", settings, blocks: [toBlock(Role.BODY, "", body)] };
    }
    case "loop":
      return toLoop(kind.value);
    case "try": {
      const catches = kind.value.catches.map((one) => toBlock(Role.CATCH, catchLabel(one), one.block));
      const blocks = [
        toBlock(Role.BODY, "", kind.value.body),
        ...catches,
        ...optional(Role.FINALLY, "finally", kind.value.finally),
      ];
      return { kind: "try", blocks };
    }
    case "approve":
      return toApproval(kind.value);
    case "wait":
    case "signal":
    case "emit":
    case "let":
    case "return":
    case "yield":
    case "fail":
    case "compensateNow":
      return toLeaf(kind);
    case undefined:
      return { kind: "" };
  }
}

function toLoop(loop: Loop): Told {
  const { while: before, until, maxIterations, pauseMs, carries, body } = loop;
  const settings = [
    ...expressionOf("while", before),
    ...expressionOf("until", until),
    ...textOf("max_iterations", String(maxIterations)),
    ...timeOf("pause", pauseMs === 0 ? undefined : pauseMs),
    ...carries.flatMap(({ name, init, next }) =>
      expressionOf(`carry ${name} init`, init).concat(expressionOf(`carry ${name} next`, next)),
    ),
    ...expressionOf("collect", body?.result),
  ];
  return { kind: "loop", settings, blocks: [toBlock(Role.BODY, "", body)] };
}

type Kind = NonNullable<Step["kind"]>;
type Leaf = "wait" | "signal" | "emit" | "let" | "return" | "yield" | "fail" | "compensateNow";

/** Kinds that wait, tell or end. */
function toLeaf(kind: Extract<Kind, { $case: Leaf }>): Told {
  switch (kind.$case) {
    case "wait": {
      const time = kind.value.kind;
      const settings = time?.$case === "forMs" ? timeOf("for", time.value) : expressionOf("until", time?.value);
      return { kind: "wait", settings };
    }
    case "signal": {
      const { name, type, when, timeoutMs, deadline, onTimeout } = kind.value;
      const settings = [
        ...textOf("name", name),
        ...expressionOf("when", when),
        ...timeOf("timeout", timeoutMs),
        ...expressionOf("deadline", deadline),
      ];
      return { kind: "signal", resultType: type, settings, blocks: optional(Role.ON_TIMEOUT, "timeout", onTimeout) };
    }
    case "emit": {
      const { subject, type, message } = kind.value;
      return {
        kind: "emit",
        requestType: type,
        settings: [...expressionOf("subject", subject), ...expressionOf("message", message)],
      };
    }
    case "let":
      return { kind: "let", settings: expressionOf("value", kind.value) };
    case "return":
      return { kind: "return", settings: expressionOf("value", kind.value) };
    case "yield":
      return { kind: "yield", settings: expressionOf("value", kind.value) };
    case "fail": {
      const { code, message, details, rethrows } = kind.value;
      const settings = [
        ...textOf("code", rethrows ? "the caught one" : codeName(code)),
        ...expressionOf("message", message),
        ...details.flatMap(({ type, value }) => expressionOf(type, value)),
      ];
      return { kind: "fail", settings };
    }
    case "compensateNow":
      return { kind: "compensate_now" };
  }
}

function toApproval(approval: Approval): Told {
  const { title, detail, approvers, type, timeoutMs, deadline, onTimeout, onReject } = approval;
  const settings = [
    ...expressionOf("title", title),
    ...expressionOf("detail", detail),
    ...expressionOf("approvers", approvers),
    ...textOf("form", type),
    ...timeOf("timeout", timeoutMs),
    ...expressionOf("deadline", deadline),
  ];
  const blocks = [
    ...optional(Role.ON_REJECT, "rejected", onReject),
    ...optional(Role.ON_TIMEOUT, "timeout", onTimeout),
  ];
  return { kind: "approve", settings, blocks, ...(type === "" ? {} : { resultType: type }) };
}

function catchLabel(one: {
  readonly codes: readonly number[];
  readonly reason: string;
  readonly domain: string;
  readonly detailType: string;
  readonly when: Expression | undefined;
}): string {
  const said = [one.codes.map(codeName).join(", "), one.reason, one.domain, one.detailType, one.when?.source ?? ""];
  return said.filter((text) => text !== "").join(" · ") || "any error";
}
