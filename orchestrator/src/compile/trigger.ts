import type { DescMessage } from "@bufbuild/protobuf";
import type { Trigger as PlannedTrigger } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Cron, Subject, Trigger } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { BuiltIn, Scope, Variable } from "./cel/scope.ts";
import type { Context } from "./context.ts";
import { parseCron } from "./cron.ts";
import { compileExpression, compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import { resolveMessage } from "./messageType.ts";
import { variableOf } from "./names.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";
import { whyNotAPattern } from "./subjectPattern.ts";

/** Whose triggers: a workflow's, or those of one of its signals. */
export interface TriggerOwner {
  readonly triggers: readonly Trigger[];
  /** The option. */
  readonly place: Place;
  /** What `input` builds. */
  readonly request: DescMessage;
  /** Name of the signal; empty: the workflow. */
  readonly signal: string;
}

/** Compiles what starts and signals the runs of a workflow, besides calls. */
export function compileTriggers(context: Context, owners: readonly TriggerOwner[]): readonly PlannedTrigger[] {
  const { findings, limits } = context;
  const compiled: PlannedTrigger[] = [];
  const seen = new Set<string>();
  let count = 0;
  for (const owner of owners) {
    for (const [index, trigger] of owner.triggers.entries()) {
      const at = elementOf(owner.place, "trigger", index);
      count++;
      if (count === limits.entriesMax + 1) {
        findings.add("LIMIT", at, `more than ${limits.entriesMax} triggers of one workflow`, "leave some out");
      }
      checkName(context, trigger.name, at, seen);
      const planned = compileTrigger(context, owner, trigger, at);
      if (planned !== undefined) compiled.push(planned);
    }
  }
  return compiled.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function checkName({ findings, limits }: Context, name: string, at: Place, seen: Set<string>): void {
  if (name === "") {
    findings.add("MISSING", at, "the trigger has no name", 'add `name: "…"`; it is paused and shown by it');
    return;
  }
  const place = fieldOf(at, "name");
  if (!/^[a-z][a-z0-9_-]*$/.test(name) || name.length > limits.nameLengthMax) {
    const hint = `small letters, digits, '-' and '_', beginning with a letter, at most ${limits.nameLengthMax}`;
    findings.add("TRIGGER", place, `'${name.slice(0, 40)}' can't be the name of a trigger`, hint);
  } else if (seen.has(name)) {
    const hint = "names are unique in a workflow, the triggers of its signals among them";
    findings.add("TRIGGER", place, `trigger '${name}' is there already`, hint);
  }
  seen.add(name);
}

function compileTrigger(
  context: Context,
  owner: TriggerOwner,
  trigger: Trigger,
  at: Place,
): PlannedTrigger | undefined {
  const { findings } = context;
  const { name, kind } = trigger;
  if (kind === undefined) {
    const hint = 'add `cron { line: "30 2 * * *" }` or `subject { pattern: "orders.placed" type: "…" }`';
    findings.add("MISSING", at, "nothing says what the trigger waits for", hint);
    return undefined;
  }
  switch (kind.$case) {
    case "cron": {
      requireFeature(context, "cron trigger", at);
      if (owner.signal !== "") {
        const hint = "a run waits by itself: `wait`, or a loop with `pause`; a subject may signal it";
        findings.add("TRIGGER", at, "a cron starts runs: no signal is sent by the clock", hint);
        return undefined;
      }
      const cron = compileCron(context, kind.value, fieldOf(at, "cron"));
      const built = compileInput(context, owner, trigger, at, atNominalTime, undefined);
      return cron && { name, kind: { $case: "cron", value: cron }, ...built, signal: owner.signal };
    }
    case "subject": {
      requireFeature(context, "subject trigger", at);
      const { event, subject } = compileSubject(context, kind.value, fieldOf(at, "subject"));
      if (event === undefined) return undefined;
      const built = compileInput(context, owner, trigger, at, onEvent(event), event);
      return { name, kind: { $case: "subject", value: subject }, ...built, signal: owner.signal };
    }
  }
}

function compileCron({ findings }: Context, cron: Cron, place: Place) {
  const parsed = parseCron(cron);
  if (parsed.kind === "ok") return parsed.cron;
  for (const { mistake, field, message, hint, offset } of parsed.flaws) {
    findings.add(mistake, field === "" ? place : fieldOf(place, field), message, hint, offset);
  }
  return undefined;
}

function compileSubject(context: Context, { pattern, type }: Subject, place: Place) {
  const { findings } = context;
  const at = fieldOf(place, "pattern");
  if (pattern === "") {
    const hint = 'add `pattern: "orders.placed"`; * stands for one part, > at the end for all that follow';
    findings.add("MISSING", place, "the trigger names no subject", hint);
  } else {
    const why = whyNotAPattern(pattern);
    if (why !== undefined) findings.add("SUBJECT", at, why.message, why.hint, why.offset);
  }
  if (type === "") {
    const hint = 'name a message, like `type: "shop.v1.OrderPlaced"`';
    findings.add("MISSING", place, "the trigger doesn't say what its events are", hint);
  }
  const event =
    type === "" ? undefined : resolveMessage(context, type, fieldOf(place, "type"), "an event is a message");
  return { event, subject: { pattern, type: event?.typeName ?? type } };
}

const hiddenAlways: readonly (readonly [string, Variable])[] = [
  ["input", { kind: "hidden", reason: "there is no request yet" }],
  ["run", { kind: "hidden", reason: "there is no run yet" }],
  ["metadata", { kind: "hidden", reason: "nobody calls, so there are no headers" }],
];

/** What the expressions of a cron see. */
const atNominalTime: Scope = {
  variables: new Map([...hiddenAlways, ["event", { kind: "hidden", reason: "a cron start has none" }]]),
  steps: new Map(),
  builtIns: new Set<BuiltIn>(["now"]),
};

/** What the expressions of a subject see. */
function onEvent(event: DescMessage): Scope {
  const now: Variable = { kind: "hidden", reason: "an event says itself when it was: name a field of it" };
  return {
    variables: new Map([...hiddenAlways, ["event", variableOf({ kind: "message", message: event })], ["now", now]]),
    steps: new Map(),
    builtIns: new Set<BuiltIn>(),
  };
}

function compileInput(
  context: Context,
  { request, signal }: TriggerOwner,
  { when, input }: Trigger,
  at: Place,
  scope: Scope,
  event: DescMessage | undefined,
): Pick<PlannedTrigger, "when" | "input"> {
  const condition = compileOptional(context, fieldOf(at, "when"), when, { kind: "bool" }, scope)?.expression;
  const source = input === "" ? inputUnsaid(request, event) : input;
  if (source === undefined) {
    const what = signal === "" ? "the run's request" : `the message of signal '${signal}'`;
    const hint = "add `input: '{…}'`, a mapping; an empty one is '{}'";
    context.findings.add("MISSING", at, `nothing builds ${what}, a ${request.typeName}`, hint);
    return { when: condition, input: undefined };
  }
  const wanted = { kind: "value", type: { kind: "message", message: request } } as const;
  const built = compileExpression(context, fieldOf(at, "input"), source, wanted, scope);
  return { when: condition, input: built?.expression };
}

/** The event itself where it has the type; an empty request where that has no fields. */
function inputUnsaid(request: DescMessage, event: DescMessage | undefined): string | undefined {
  if (event?.typeName === request.typeName) return "event";
  return request.fields.length === 0 ? "{}" : undefined;
}
