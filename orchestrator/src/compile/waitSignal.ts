import type { DescMessage } from "@bufbuild/protobuf";
import type { WaitSignal } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { StepsCompiler, Surround } from "./arms.ts";
import { didYouMean } from "./closest.ts";
import type { Context } from "./context.ts";
import { awaitedResult, compileDue } from "./due.ts";
import { compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import type { CompiledKind } from "./kind.ts";
import { resolveMessage } from "./messageType.ts";
import { variableOf, withVariables } from "./names.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

/** Compiles a `signal` whose message stands at `place`. */
export function compileWaitSignal(
  context: Context,
  signal: WaitSignal,
  place: Place,
  surround: Surround,
  compileSteps: StepsCompiler,
): CompiledKind {
  requireFeature(context, "signal", place);
  const message = typeOf(context, signal, place);
  const type = message === undefined ? undefined : ({ kind: "message", message } as const);
  const when = withVariables(context.names, [["event", variableOf(type)]], () =>
    compileOptional(context, fieldOf(place, "when"), signal.when, { kind: "bool" }),
  );
  const { arm, ...due } = compileDue(context, signal, place, surround, type, compileSteps);
  return {
    kind:
      message === undefined
        ? undefined
        : {
            $case: "signal",
            value: { name: signal.name, type: message.typeName, when: when?.expression, ...due },
          },
    ...awaitedResult(type, [arm]),
    ends: false,
  };
}

/** From the (signal) rpc of that name, else as the step says it; the same name is the same type in the whole workflow. */
function typeOf(context: Context, { name, type }: WaitSignal, place: Place): DescMessage | undefined {
  const { findings, signals } = context;
  const at = fieldOf(place, "name");
  if (name === "") {
    findings.add("MISSING", place, "the step doesn't say which signal it waits for", 'add `name: "…"`');
    return undefined;
  }
  if (name.length > context.limits.nameLengthMax) {
    const message = `the name has ${name.length} characters, the limit is ${context.limits.nameLengthMax}`;
    findings.add("LIMIT", at, message, "shorten it");
  }
  const known = signals.get(name);
  if (type === "") {
    if (known !== undefined) return known;
    const hint =
      didYouMean(name, signals.keys()) ||
      'add `type: "…"`, the full name of its message, or an rpc with (sidestep.v1.signal)';
    findings.add("SIGNAL", at, `no rpc declares a signal '${name}', and the step gives no type`, hint);
    return undefined;
  }
  const typePlace = fieldOf(place, "type");
  const message = resolveMessage(context, type, typePlace, "a signal is a message");
  if (message === undefined) return undefined;
  if (known !== undefined && known.typeName !== message.typeName) {
    const hint = "leave `type` out, or wait for a signal of another name";
    findings.add("SIGNAL", typePlace, `signal '${name}' is a ${known.typeName}, not a ${message.typeName}`, hint);
    return undefined;
  }
  signals.set(name, message);
  return message;
}
