import type { Expression } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { ValueType } from "../engine/expression/value.ts";
import { checkExpression } from "./cel/check.ts";
import type { Wanted } from "./cel/request.ts";
import type { Issue, IssueCode } from "./cel/issue.ts";
import type { Scope } from "./cel/scope.ts";
import { didYouMean } from "./closest.ts";
import type { Context } from "./context.ts";
import { scopeInRun } from "./names.ts";
import type { Place } from "./place.ts";

/** An expression of the plan, and what it yields. */
export interface CompiledExpression {
  readonly expression: Expression;
  readonly type: ValueType;
}

const engineTypes: ReadonlyMap<string, string> = new Map([["run", "sidestep.v1.RunRecord"]]);
const stepRecord = "sidestep.v1.StepRecord";

/**
 * Where a value goes, as far as it came from fields declared `debug_redact`: "shown" somewhere, so that it must not; "sent" to where only
 * its receiver sees it; or "kept" in the run, marked so that it is not shown. A condition tells nothing of its value.
 */
export type Destination = "shown" | "sent" | "kept";

/** Compiles the expression at `place`; undefined, and findings, when it is wrong. Without `scope`: what the running workflow may see here. */
export function compileExpression(
  context: Context,
  place: Place,
  source: string,
  wanted: Wanted,
  scope: Scope = scopeInRun(context.names),
  destination: Destination = "shown",
): CompiledExpression | undefined {
  const result = checkExpression({
    source,
    wanted,
    scope,
    registry: context.registry,
    container: context.container,
    limits: context.limits.expression,
  });
  if (result.kind === "wrong") {
    for (const issue of result.issues) {
      if (isAboutBroken(context, source, issue)) continue;
      context.findings.add(issue.code, place, issue.message, issue.hint ?? remedies.get(issue.code), issue.offset);
    }
    return undefined;
  }
  const { checked } = result;
  if (checked.builtIns.includes("metadata")) checkHeaders(context, place, source);
  for (const name of [...checked.reads, ...checked.steps]) context.read.add(name);
  for (const type of checked.types) context.types.add(type);
  for (const name of checked.builtIns) {
    const type = engineTypes.get(name);
    if (type !== undefined) context.types.add(type);
  }
  if (checked.steps.length > 0) context.types.add(stepRecord);
  const [redacted] = checked.redacted;
  if (redacted !== undefined && destination === "shown" && wanted.kind !== "bool") {
    const message = `this is shown to people, and ${redacted.name} is declared debug_redact`;
    context.findings.add("REDACTED", place, message, remedyOfRedacted(wanted), redacted.offset);
    return undefined;
  }
  const isRedacted = redacted !== undefined && destination === "kept";
  return {
    expression: { checked: checked.bytes, source, path: place.path, redacted: checked.readsRedacted },
    type: isRedacted ? { ...checked.type, isRedacted } : checked.type,
  };
}

function remedyOfRedacted({ kind }: Wanted): string {
  return kind === "value"
    ? "declare the field that it is put into debug_redact too, or leave it out"
    : "leave it out; calls, conditions and `let` may read it";
}

/** An expression that may be left out. */
export function compileOptional(
  context: Context,
  place: Place,
  source: string,
  wanted: Wanted,
  scope: Scope = scopeInRun(context.names),
  destination: Destination = "shown",
): CompiledExpression | undefined {
  return source === "" ? undefined : compileExpression(context, place, source, wanted, scope, destination);
}

/** What to do where nothing more special can be said. */
const remedies: ReadonlyMap<IssueCode, string> = new Map<IssueCode, string>([
  ["CEL_NOT_IN_SCOPE", "read it only where it has a value; `result`, `collect` and carries hand values out of a block"],
  ["CEL_TYPE", "write an expression of that type; a message is built by a mapping: '{field: …}'"],
  ["CEL_MAPPING", "set each field once, and only one of a oneof"],
  ["CEL_CONSTANT", "correct the constant"],
  ["CEL_SYNTAX", "correct it where the caret stands"],
  ["CEL_LIMIT", "split it: keep parts of it in `let` steps"],
  ["CEL_UNKNOWN_NAME", "correct the name; docs/expressions.md lists the functions"],
]);

const stringLiteral = String.raw`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`;
const headerRead = new RegExp(String.raw`(?<![\w.])metadata\s*\[\s*(${stringLiteral})\s*\]|${stringLiteral}`, "g");

/** Headers that expressions read by name are those that the workflow keeps. */
function checkHeaders({ metadata, findings }: Context, place: Place, source: string): void {
  for (const match of source.matchAll(headerRead)) {
    const name = match[1]?.slice(1, -1);
    if (name === undefined || metadata.includes(name)) continue;
    const hint = didYouMean(name, metadata) || `add metadata: "${name.toLowerCase()}" to the workflow`;
    const offset = match.index + match[0].indexOf(match[1] ?? "");
    findings.add("HEADER", place, `the workflow does not keep the caller's header '${name}'`, hint, offset);
  }
}

/** The name it can't read belongs to a step that is wrong itself: its own finding says enough. */
function isAboutBroken(context: Context, source: string, issue: Issue): boolean {
  if (issue.code !== "CEL_NOT_IN_SCOPE") return false;
  return context.names.broken.has(source.slice(issue.offset, issue.offset + issue.length));
}
