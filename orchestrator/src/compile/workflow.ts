import type { DescMethod } from "@bufbuild/protobuf";
import { Plan_Order } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Attribute as PlannedAttribute, Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Saga_Order } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Workflow } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { planRevision } from "../engine/revision.ts";
import { formatValueType } from "../engine/expression/value.ts";
import type { CompiledSteps } from "./arms.ts";
import type { Context, Surroundings } from "./context.ts";
import { trimDescriptors } from "./descriptors.ts";
import { compileExpression } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import { whyNotMetadata } from "./header.ts";
import { lintWorkflow } from "./lint.ts";
import { newNames, scopeAtStart, scopeOfRun } from "./names.ts";
import { outlineOf } from "./outline.ts";
import type { Outline } from "./outline.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";
import { durationOr, mergeSettings } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { compileQueries, compileSignals, declareSignals } from "./siblings.ts";
import type { Siblings } from "./siblings.ts";
import { compileSteps } from "./step.ts";
import { compileTriggers } from "./trigger.ts";

/** A workflow's plan, and what it was made of besides its option. */
export interface PlannedWorkflow {
  readonly plan: Plan;
  /** The rpcs it calls, and the workflows that it runs. */
  readonly methods: readonly DescMethod[];
  /** Full names of the messages and enums that it uses. */
  readonly types: ReadonlySet<string>;
}

/** The rpc that is a workflow, and what its option says. */
export interface WorkflowSource {
  readonly method: DescMethod;
  readonly definition: Workflow;
  /** The option. */
  readonly place: Place;
  /** The service's. */
  readonly settings: Settings;
  readonly siblings: Siblings;
}

/** Compiles a workflow; undefined, and findings, when it is wrong. */
export function compileWorkflow(surroundings: Surroundings, source: WorkflowSource): PlannedWorkflow | undefined {
  const { findings } = surroundings;
  const { method, definition, place, siblings } = source;
  const before = findings.errorCount();
  if (!isServable(surroundings, method, place)) return undefined;
  const outline = outlineOf(surroundings, definition.step, place);
  if (definition.step.length === 0) findings.add("EMPTY_BLOCK", place, "the workflow has no steps", "add `step { … }`");
  if (!outline.fits) return undefined;
  const context = newContext(surroundings, source, outline);
  if (method.methodKind === "server_streaming") requireFeature(context, "yield", place);
  refuseLater(context, definition, place);
  declareSignals(context, siblings);
  const key = compileKey(context, definition, place);
  const attributes = compileAttributes(context, definition, place);
  const metadata = checkMetadata(context, definition, place);
  const timeoutMs = durationOr(undefined, definition.timeout, fieldOf(place, "timeout"), findings, context.limits);
  const keptMs = compileRetention(context, definition, place);
  const saga = compileOrder(context, definition, place);
  const body = compileSteps(context, definition.step, place, outermost);
  const response = compileResponse(context, definition, body, place);
  const signals = compileSignals(context, siblings);
  const triggers = compileTriggers(context, [
    { triggers: definition.trigger, place, request: method.input, signal: "" },
    ...siblings.signals.map(({ definition: { trigger }, place: at, method: { input }, name }) => {
      return { triggers: trigger, place: at, request: input, signal: name };
    }),
  ]);
  const queries = compileQueries(context, siblings);
  if (findings.errorCount() > before) return undefined;
  lintWorkflow(context, definition, place, timeoutMs);
  const plan: Plan = {
    workflow: `${method.parent.typeName}/${method.name}`,
    requestType: method.input.typeName,
    responseType: method.output.typeName,
    engineRevision: planRevision,
    descriptors: trimDescriptors(context.registry, context.types, context.synthesized),
    key,
    timeoutMs,
    saga,
    attributes,
    retentionMs: 0,
    keptMs,
    metadata,
    body: { steps: body.steps, result: undefined },
    output: response.output,
    outputStep: response.outputStep,
    stepCount: context.stepCount,
    methods: [...context.methods.keys()].toSorted(),
    signals,
    queries,
    triggers,
    streaming: method.methodKind === "server_streaming",
  };
  return { plan, methods: [...context.methods.values(), ...context.children.values()], types: context.types };
}

const outermost = { name: "", inParallel: false, inCatch: false, inCompensation: false };

function newContext(
  surroundings: Surroundings,
  { method, definition, place, settings: serviceSettings }: WorkflowSource,
  outline: Outline,
): Context {
  const request = { kind: "message", message: method.input } as const;
  const { findings, limits } = surroundings;
  const settings =
    definition.defaults === undefined
      ? serviceSettings
      : mergeSettings(serviceSettings, definition.defaults, fieldOf(place, "defaults"), findings, limits);
  return {
    ...surroundings,
    method,
    request,
    container: method.parent.file.proto.package,
    metadata: definition.metadata,
    names: newNames(request, { ...outline, ids: outline.ids.keys() }),
    settings,
    ids: outline.ids,
    types: new Set([method.input.typeName, method.output.typeName]),
    methods: new Map(),
    children: new Map(),
    signals: new Map(),
    synthesized: [],
    read: new Set(),
    finished: [],
    stepCount: 0,
  };
}

function isServable({ findings }: Surroundings, method: DescMethod, place: Place): boolean {
  switch (method.methodKind) {
    case "unary":
    case "server_streaming":
      return true;
    case "client_streaming":
    case "bidi_streaming":
      findings.add(
        "NOT_CALLABLE",
        place,
        "a workflow takes one request, this rpc takes a stream of them",
        "let it take a single message",
      );
      return false;
  }
}

function refuseLater(context: Context, definition: Workflow, place: Place): void {
  const { findings } = context;
  if (definition.bodyFile !== "") {
    findings.add(
      "NOT_YET",
      fieldOf(place, "body_file"),
      "the image names a body and does not have it",
      "build it from its folder with `sidestep`: that puts the file in its place",
    );
  }
}

/** Not shorter than what other deadlines of ours allow for; the orchestrator's own settings have the same bound. */
const retentionMinMs = 5 * 60_000;

/** Undefined: as the orchestrator says. */
function compileRetention({ findings, limits }: Context, { retention }: Workflow, place: Place): number | undefined {
  const at = fieldOf(place, "retention");
  const ms = durationOr(undefined, retention, at, findings, limits);
  if (ms === undefined || ms >= retentionMinMs) return ms;
  findings.add("DURATION", at, `'${retention}' is too short`, "an ended run is kept for 5m or more");
  return undefined;
}

function compileKey(context: Context, definition: Workflow, place: Place): Plan["key"] {
  if (definition.key === "") return undefined;
  const at = fieldOf(place, "key");
  if (/^\s*(""|'')\s*$/.test(definition.key)) {
    const hint =
      "leave `key` out: the caller's idempotency-key header is the key then, else each call is a run of its own";
    context.findings.add("MISSING", at, "the key is always empty, and no run starts with an empty key", hint);
    return undefined;
  }
  return compileExpression(context, at, definition.key, { kind: "string" }, scopeAtStart(context.request))?.expression;
}

function compileAttributes(context: Context, definition: Workflow, place: Place): readonly PlannedAttribute[] {
  const { findings, limits } = context;
  const compiled: PlannedAttribute[] = [];
  const seen = new Set<string>();
  if (definition.attribute.length > limits.entriesMax) {
    const at = elementOf(place, "attribute", limits.entriesMax);
    findings.add(
      "LIMIT",
      at,
      `${definition.attribute.length} attributes, the limit is ${limits.entriesMax}`,
      "leave some out",
    );
    return compiled;
  }
  for (const [index, attribute] of definition.attribute.entries()) {
    const at = elementOf(place, "attribute", index);
    const name = fieldOf(at, "name");
    if (!/^[a-z][a-z0-9_]*$/.test(attribute.name) || attribute.name.length > limits.nameLengthMax) {
      const hint = `small letters, digits and '_', beginning with a letter, at most ${limits.nameLengthMax}`;
      findings.add("ATTRIBUTE", name, `'${attribute.name.slice(0, 40)}' can't be the name of an attribute`, hint);
    } else if (seen.has(attribute.name)) {
      findings.add("ATTRIBUTE", name, `attribute '${attribute.name}' is given twice`, "leave one out");
    }
    seen.add(attribute.name);
    if (attribute.value === "") {
      findings.add("MISSING", at, "the attribute has no value", "add `value: '…'`, a CEL expression over `input`");
      continue;
    }
    const scope = scopeOfRun(context.names);
    const value = compileExpression(context, fieldOf(at, "value"), attribute.value, { kind: "any" }, scope);
    if (value === undefined) continue;
    const { type } = value;
    if (
      type.kind === "list" ||
      type.kind === "map" ||
      (type.kind === "message" && !isSearchable(type.message.typeName))
    ) {
      const message = `an attribute is a single value, this is a ${type.kind}`;
      findings.add("ATTRIBUTE", fieldOf(at, "value"), message, "name one field of it");
    }
    compiled.push({ name: attribute.name, value: value.expression });
  }
  return compiled;
}

function isSearchable(typeName: string): boolean {
  return typeName === "google.protobuf.Timestamp" || typeName === "google.protobuf.Duration";
}

function checkMetadata(context: Context, definition: Workflow, place: Place): readonly string[] {
  const { findings, limits } = context;
  if (definition.metadata.length > limits.entriesMax) {
    const at = elementOf(place, "metadata", limits.entriesMax);
    findings.add(
      "LIMIT",
      at,
      `${definition.metadata.length} headers, the limit is ${limits.entriesMax}`,
      "leave some out",
    );
  }
  const seen = new Set<string>();
  for (const [index, name] of definition.metadata.entries()) {
    const at = elementOf(place, "metadata", index);
    const wrong = whyNotMetadata(name, limits);
    if (wrong !== undefined) findings.add("HEADER", at, wrong.message, wrong.hint);
    else if (seen.has(name)) findings.add("HEADER", at, `header '${name}' stands here twice`, "leave one out");
    seen.add(name);
  }
  return definition.metadata;
}

function compileOrder(context: Context, definition: Workflow, place: Place): Plan_Order {
  const at = fieldOf(place, "saga");
  switch (definition.saga) {
    case Saga_Order.ORDER_UNSPECIFIED:
    case Saga_Order.REVERSE:
      return Plan_Order.REVERSE;
    case Saga_Order.PARALLEL:
      return Plan_Order.PARALLEL;
    case Saga_Order.MANUAL:
      requireFeature(context, "saga: MANUAL", at);
      return Plan_Order.MANUAL;
    case Saga_Order.UNRECOGNIZED:
      break;
  }
  context.findings.add(
    "SCHEMA",
    at,
    `${definition.saga} is not an order known to this version of Sidestep`,
    "use REVERSE, PARALLEL or MANUAL",
  );
  return Plan_Order.REVERSE;
}

/** Where the response comes from: `output`, the last step's result, or nowhere. */
function compileResponse(
  context: Context,
  definition: Workflow,
  body: CompiledSteps,
  place: Place,
): { readonly output: Plan["output"]; readonly outputStep: number | undefined } {
  const { findings, method } = context;
  const none = { output: undefined, outputStep: undefined };
  const at = fieldOf(place, "output");
  if (definition.output !== "") {
    if (body.ends) {
      findings.add("UNREACHABLE", at, "`output` is never built: the last step always ends the run", "leave it out");
      return none;
    }
    const type = { kind: "message", message: method.output } as const;
    const output = compileExpression(context, at, definition.output, { kind: "value", type });
    return { output: output?.expression, outputStep: undefined };
  }
  if (body.ends || definition.step.length === 0 || method.methodKind !== "unary") return none;
  const last = body.last?.type;
  if (last?.kind === "message" && last.message.typeName === method.output.typeName) {
    return { output: undefined, outputStep: body.last?.index };
  }
  if (method.output.fields.length > 0) {
    const found = last === undefined ? "" : `; the last step's result is ${formatValueType(last)}`;
    const message = `nothing builds the response, a ${method.output.typeName}${found}`;
    const hint = "add `output: '{…}'`, or end with a step that certainly runs and has a result of this type";
    findings.add("RESPONSE", place, message, hint);
  }
  return none;
}
