import type { ChildRun } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { compileOptional } from "./expression.ts";
import type { Context } from "./context.ts";
import { requireFeature } from "./feature.ts";
import { brokenKind } from "./kind.ts";
import type { CompiledKind } from "./kind.ts";
import { resolveWorkflow } from "./method.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

/** Compiles a `run` whose message stands at `place`. */
export function compileChildRun(context: Context, child: ChildRun, place: Place): CompiledKind {
  requireFeature(context, "run", place);
  const method = resolveWorkflow(context, child.method, fieldOf(place, "method"));
  const key = compileOptional(context, fieldOf(place, "key"), child.key, { kind: "string" });
  if (method === undefined) return { ...brokenKind, broken: !child.detach };
  const request = compileOptional(context, fieldOf(place, "request"), child.request, {
    kind: "value",
    type: { kind: "message", message: method.input },
  });
  context.types.add(method.input.typeName).add(method.output.typeName);
  const isWrong = child.request !== "" && request === undefined;
  return {
    kind: isWrong
      ? undefined
      : {
          $case: "run",
          value: {
            method: child.method,
            request: request?.expression,
            key: key?.expression,
            detach: child.detach,
            responseType: method.output.typeName,
          },
        },
    result: child.detach ? undefined : { kind: "message", message: method.output },
    noResult: "a detached run is not waited for",
    broken: false,
    ends: false,
  };
}
