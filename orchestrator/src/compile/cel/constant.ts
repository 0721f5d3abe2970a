import { isCelError, parse, plan } from "@bufbuild/cel";
import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { createRegistry } from "@bufbuild/protobuf";
import { toEnvironment } from "../../engine/expression/environment.ts";

/** A constant argument with which a call can only fail. */
export interface ConstantProblem {
  /** Which argument, the target counted as the first. */
  readonly argument: number;
  readonly message: string;
  readonly hint: string | undefined;
}

const registry = createRegistry();

/** Tries out a conversion, a regular expression or a time zone that is written down as a text or number. */
export function constantProblem(name: string, isMember: boolean, args: readonly Expr[]): ConstantProblem | undefined {
  switch (name) {
    case "duration":
    case "timestamp":
    case "int":
    case "uint":
    case "double":
    case "bool":
      return args.length === 1 && constantOf(args[0]) !== undefined ? problem(0, `${name}(x)`, args[0]) : undefined;
    case "matches":
      return problem(1, "''.matches(x)", args[1]);
    default:
      return isMember && /^get[A-Z]/.test(name) && args.length === 2
        ? problem(1, `timestamp(0).${name}(x)`, args[1])
        : undefined;
  }
}

function constantOf(node: Expr | undefined): string | bigint | number | undefined {
  const constant = node?.exprKind.case === "constExpr" ? node.exprKind.value.constantKind : undefined;
  switch (constant?.case) {
    case "stringValue":
    case "int64Value":
    case "doubleValue":
      return constant.value;
    default:
      return undefined;
  }
}

function problem(argument: number, trial: string, node: Expr | undefined): ConstantProblem | undefined {
  const x = constantOf(node);
  if (x === undefined) return undefined;
  const { cel, meter } = toEnvironment(registry);
  meter.stepsLeft = 10_000;
  const result = plan(cel, parse(trial))({ x });
  if (!isCelError(result)) return undefined;
  const [message, hint] = result.message.split(": ", 2);
  if (trial.includes("matches"))
    return { argument, message: "the text is no regular expression", hint: hint ?? message };
  return { argument, message: message ?? result.message, hint };
}
