import type { Emit } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Context } from "./context.ts";
import { compileExpression } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import type { CompiledKind } from "./kind.ts";
import { resolveMessage } from "./messageType.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

/** Compiles an `emit` whose message stands at `place`. */
export function compileEmit(context: Context, emit: Emit, place: Place): CompiledKind {
  requireFeature(context, "emit", place);
  const subject = compileSubject(context, emit.subject, place);
  const message = compileMessage(context, emit, place);
  return {
    kind:
      subject === undefined || message === undefined ? undefined : { $case: "emit", value: { subject, ...message } },
    result: undefined,
    noResult: "an emit has no result",
    broken: false,
    ends: false,
  };
}

function compileSubject(context: Context, source: string, place: Place) {
  if (source === "") {
    const hint = "add `subject: '…'`, a CEL expression that yields one: '\"orders.placed\"'";
    context.findings.add("MISSING", place, "the emit names no subject", hint);
    return undefined;
  }
  const at = fieldOf(place, "subject");
  const literal = /^\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*(\+)?/.exec(source);
  const text = literal?.[1] ?? literal?.[2];
  const why = text === undefined ? undefined : whyNotASubject(text, literal?.[3] === undefined);
  if (why !== undefined) {
    const offset = source.search(/["']/) + 1;
    context.findings.add("SUBJECT", at, why.message, why.hint, offset);
  }
  return compileExpression(context, at, source, { kind: "string" })?.expression;
}

function compileMessage(context: Context, { type, message }: Emit, place: Place) {
  const { findings } = context;
  if (type === "") {
    findings.add("MISSING", place, "the emit has no type", 'name a message, like `type: "shop.v1.OrderPlaced"`');
    return undefined;
  }
  const found = resolveMessage(context, type, fieldOf(place, "type"), "what is emitted is a message");
  if (message === "") {
    findings.add("MISSING", place, "the emit has no message", "add `message: '…'`; '{}' is an empty one");
    return undefined;
  }
  if (found === undefined) return undefined;
  const wanted = { kind: "value", type: { kind: "message", message: found } } as const;
  const value = compileExpression(context, fieldOf(place, "message"), message, wanted, undefined, "sent");
  return value === undefined ? undefined : { type: found.typeName, message: value.expression };
}

/** Why a literal can't be a subject, or the beginning of one; undefined when it can. */
export function whyNotASubject(
  text: string,
  isWhole: boolean,
): { readonly message: string; readonly hint: string } | undefined {
  if (/^(sidestep\.|\$|_)/.test(text) || (isWhole && text === "sidestep")) {
    return {
      message: `'${text}' belongs to Sidestep or to NATS itself`,
      hint: "begin it with a name of your own: not with sidestep., $ or _",
    };
  }
  if (/[*>]/.test(text)) {
    return { message: `'${text}' has a wildcard`, hint: "wildcards are for who listens: name one subject" };
  }
  const form = 'parts of visible characters with dots between them: "orders.placed"';
  if (/[^\u0021-\u007e]/.test(text)) return { message: `'${text}' is not a subject`, hint: form };
  if (text.startsWith(".") || text.includes("..") || (isWhole && (text === "" || text.endsWith(".")))) {
    return { message: `'${text}' is not a subject: a part of it is empty`, hint: form };
  }
  return undefined;
}
