import { ScalarType } from "@bufbuild/protobuf";
import type { Approval } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ValueType } from "../engine/expression/value.ts";
import type { StepsCompiler, Surround } from "./arms.ts";
import type { Context } from "./context.ts";
import { awaitedResult, compileDue, compileInstead } from "./due.ts";
import { compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import type { CompiledKind } from "./kind.ts";
import { engineType, resolveMessage } from "./messageType.ts";
import { variableOf, withVariables } from "./names.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

const strings: ValueType = { kind: "list", element: { kind: "scalar", scalar: ScalarType.STRING } };

/** Compiles an `approve` whose message stands at `place`. */
export function compileApproval(
  context: Context,
  approval: Approval,
  place: Place,
  surround: Surround,
  compileSteps: StepsCompiler,
): CompiledKind {
  requireFeature(context, "approve", place);
  if (approval.title === "") {
    const hint = "add `title: '…'`, a CEL expression that yields what approvers are to read";
    context.findings.add("MISSING", place, "nobody is told what to approve", hint);
  }
  const title = compileOptional(context, fieldOf(place, "title"), approval.title, { kind: "string" });
  const detail = compileOptional(context, fieldOf(place, "detail"), approval.detail, { kind: "string" });
  const wanted = { kind: "value", type: strings } as const;
  const approvers = compileOptional(context, fieldOf(place, "approvers"), approval.approvers, wanted);
  const type = typeOf(context, approval, place);
  const { arm, ...due } = compileDue(context, approval, place, surround, type, compileSteps);
  const decision = variableOf(engineType(context, "Decision"));
  const rejected = withVariables(context.names, [["decision", decision]], () =>
    compileInstead(
      context,
      approval.onReject,
      fieldOf(place, "on_reject"),
      `${surround.name}.on_reject`,
      surround,
      type,
      compileSteps,
    ),
  );
  return {
    kind:
      type?.kind !== "message"
        ? undefined
        : {
            $case: "approve",
            value: {
              title: title?.expression,
              detail: detail?.expression,
              approvers: approvers?.expression,
              type: approval.type === "" ? "" : type.message.typeName,
              ...due,
              onReject: rejected?.block,
            },
          },
    ...awaitedResult(type, [arm, rejected]),
    ends: false,
  };
}

function typeOf(context: Context, { type }: Approval, place: Place): ValueType | undefined {
  if (type === "") return engineType(context, "Decision");
  const message = resolveMessage(context, type, fieldOf(place, "type"), "what an approver fills in is a message");
  return message === undefined ? undefined : { kind: "message", message };
}
