import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { Query as PlannedQuery, Signal as PlannedSignal } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { QueryMethod, SignalMethod } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { didYouMean } from "./closest.ts";
import type { Context, Surroundings } from "./context.ts";
import { compileExpression, compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import { makeConditional, scopeAtStart, scopeInRun, withVariables } from "./names.ts";
import { hasExtension, queryOption, readQuery, readSignal, signalOption, workflowOption } from "./option.ts";
import { fieldOf, rootPlace } from "./place.ts";
import type { Place } from "./place.ts";

/** An rpc that delivers a signal to a workflow's runs. */
export interface SiblingSignal {
  readonly method: DescMethod;
  readonly definition: SignalMethod;
  readonly place: Place;
  /** What wait steps name. */
  readonly name: string;
}

/** An rpc that asks a workflow's runs. */
export interface SiblingQuery {
  readonly method: DescMethod;
  readonly definition: QueryMethod;
  readonly place: Place;
}

/** What stands beside a workflow, and belongs to it. */
export interface Siblings {
  readonly signals: readonly SiblingSignal[];
  readonly queries: readonly SiblingQuery[];
}

/** The signals and queries of a service by the name of their workflow's rpc; what is wrong with them as such becomes findings. */
export function siblingsOf(surroundings: Surroundings, service: DescService): ReadonlyMap<string, Siblings> {
  const found = new Map<string, { readonly signals: SiblingSignal[]; readonly queries: SiblingQuery[] }>();
  const siblings = (workflow: string) => {
    const before = found.get(workflow) ?? { signals: [], queries: [] };
    found.set(workflow, before);
    return before;
  };
  for (const method of service.methods) {
    const { options } = method.proto;
    if (hasExtension(options, signalOption.number)) {
      const place = rootPlace({ service, method, option: signalOption });
      const definition = readSignal(options, place, surroundings.findings);
      if (definition !== undefined && isSibling(surroundings, method, definition.workflow, place, "signal")) {
        const name = definition.name === "" ? method.name : definition.name;
        siblings(definition.workflow).signals.push({ method, definition, place, name });
      }
    }
    if (hasExtension(options, queryOption.number)) {
      const place = rootPlace({ service, method, option: queryOption });
      const definition = readQuery(options, place, surroundings.findings);
      if (definition !== undefined && isSibling(surroundings, method, definition.workflow, place, "query")) {
        siblings(definition.workflow).queries.push({ method, definition, place });
      }
    }
  }
  return found;
}

/** Is it a unary rpc that names a workflow of its service? */
function isSibling(
  { findings }: Surroundings,
  method: DescMethod,
  workflow: string,
  place: Place,
  word: "signal" | "query",
): boolean {
  const options = [workflowOption, signalOption, queryOption].filter(({ number }) =>
    hasExtension(method.proto.options, number),
  );
  if (options.length > 1) {
    const message = "the rpc has several options of Sidestep's: it is a workflow, a signal or a query";
    findings.add("SIGNAL", place, message, "make an rpc for each");
    return false;
  }
  if (method.methodKind !== "unary") {
    const message = `a ${word} is one request and one answer, this rpc streams`;
    findings.add("NOT_CALLABLE", place, message, "make the rpc unary");
    return false;
  }
  const names = method.parent.methods
    .filter((one) => hasExtension(one.proto.options, workflowOption.number))
    .map((one) => one.name);
  const list = names.length === 0 ? "it has none" : `its workflows: ${names.toSorted().join(", ")}`;
  if (workflow === "") {
    const hint = `add \`workflow: "…"\`, an rpc of the same service (${list})`;
    findings.add("MISSING", place, `the ${word} doesn't say whose it is`, hint);
    return false;
  }
  if (names.includes(workflow)) return true;
  const guess = didYouMean(workflow, names);
  const message = `service ${method.parent.typeName} has no workflow '${workflow}'`;
  findings.add("SIGNAL", fieldOf(place, "workflow"), message, guess === "" ? list : `${guess} (${list})`);
  return false;
}

/** Notes the signals that rpcs declare, before the steps that wait for them are compiled. */
export function declareSignals(context: Context, { signals }: Siblings): void {
  const first = new Map<string, string>();
  for (const { method, name, place, definition } of signals) {
    const at = definition.name === "" ? place : fieldOf(place, "name");
    const other = first.get(name);
    if (other !== undefined) {
      const hint = "give it another `name`, and a step that waits for it";
      context.findings.add("SIGNAL", at, `${other} delivers signal '${name}' already`, hint);
    }
    if (name.length > context.limits.nameLengthMax) {
      const message = `the name has ${name.length} characters, the limit is ${context.limits.nameLengthMax}`;
      context.findings.add("LIMIT", at, message, "shorten it");
    }
    first.set(name, method.name);
    context.signals.set(name, method.input);
  }
}

/** Compiles the signals, those that only steps name among them. */
export function compileSignals(context: Context, { signals }: Siblings): readonly PlannedSignal[] {
  const { findings, limits } = context;
  const fifty = signals[limits.entriesMax];
  if (fifty !== undefined) {
    const message = `${signals.length} rpcs deliver signals to the workflow, the limit is ${limits.entriesMax}`;
    findings.add("LIMIT", fifty.place, message, "let one message carry several kinds");
  }
  const declared = signals.map((signal) => compileSignal(context, signal));
  const names = new Set(declared.map(({ name }) => name));
  const others = [...context.signals].filter(([name]) => !names.has(name));
  const undeclared = others.map(([name, message]): PlannedSignal => {
    return { name, type: message.typeName, method: "", key: undefined, start: undefined };
  });
  return [...declared, ...undeclared].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function compileSignal(context: Context, { method, definition, place, name }: SiblingSignal): PlannedSignal {
  requireFeature(context, "signal", place);
  const scope = scopeAtStart({ kind: "message", message: method.input });
  const start = compileOptional(
    context,
    fieldOf(place, "start"),
    definition.start,
    { kind: "value", type: context.request },
    scope,
  );
  context.types.add(method.input.typeName).add(method.output.typeName);
  return {
    name,
    type: method.input.typeName,
    method: `${method.parent.typeName}/${method.name}`,
    key: compileSiblingKey(context, method, definition.key, place),
    start: start?.expression,
  };
}

/** Compiles the queries; they see the steps of the whole workflow, which may not have run. */
export function compileQueries(context: Context, { queries }: Siblings): readonly PlannedQuery[] {
  const { findings, limits, names } = context;
  const over = queries[limits.entriesMax];
  if (over !== undefined) {
    const message = `${queries.length} rpcs ask the workflow, the limit is ${limits.entriesMax}`;
    findings.add("LIMIT", over.place, message, "let one answer hold several values");
  }
  makeConditional(names, [...context.ids.keys()], "the run may not have come there");
  return queries.map((query) => compileQuery(context, query)).toSorted((a, b) => (a.method < b.method ? -1 : 1));
}

function compileQuery(context: Context, { method, definition, place }: SiblingQuery): PlannedQuery {
  requireFeature(context, "query", place);
  if (definition.output === "" && method.output.fields.length > 0) {
    const message = `nothing builds the answer, a ${method.output.typeName}`;
    context.findings.add("RESPONSE", place, message, "add `output: '{…}'`");
  }
  context.types.add(method.input.typeName).add(method.output.typeName);
  const asked = { kind: "certain", type: { kind: "message", message: method.input } } as const;
  const output = withVariables(context.names, [["query", asked]], () =>
    compileExpression(
      context,
      fieldOf(place, "output"),
      definition.output === "" ? "{}" : definition.output,
      { kind: "value", type: { kind: "message", message: method.output } },
      scopeInRun(context.names),
    ),
  );
  return {
    method: `${method.parent.typeName}/${method.name}`,
    requestType: method.input.typeName,
    responseType: method.output.typeName,
    key: compileSiblingKey(context, method, definition.key, place),
    output: output?.expression,
  };
}

/** The run that is meant, by the rpc's own request. */
function compileSiblingKey(context: Context, method: DescMethod, source: string, place: Place) {
  if (source === "") {
    const hint = "add `key: '…'`, a CEL expression over `input`, the rpc's request, that yields the key of the run";
    context.findings.add("MISSING", place, "nothing says which run is meant", hint);
    return undefined;
  }
  const scope = scopeAtStart({ kind: "message", message: method.input });
  return compileExpression(context, fieldOf(place, "key"), source, { kind: "string" }, scope)?.expression;
}
