import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { isRedacted } from "../../engine/expression/redacted.ts";
import { noteRedacted, report, suggest } from "./checking.ts";
import type { Checking } from "./checking.ts";
import { redactedNames } from "./redacted.ts";
import { dynType, showType, typeOfField } from "./type.ts";
import type { CelType } from "./type.ts";
import { learn, resolve } from "./unify.ts";

/** The type of a field, reported at `node` when there is no such field. Of an optional value the field is optional. */
export function fieldType(checking: Checking, node: Expr, of: CelType, field: string): CelType {
  switch (of.kind) {
    case "dyn":
    case "error":
    case "any":
      if (redactedNames(checking.registry).has(field)) noteRedacted(checking, node, field);
      return dynType;
    case "unknown":
      learn(checking.substitution, of.number, dynType);
      return dynType;
    case "map":
      return of.value;
    case "message": {
      const found = of.message.fields.find((candidate) => candidate.name === field);
      if (found !== undefined) {
        if (isRedacted(found)) noteRedacted(checking, node, `${of.message.typeName}.${field}`);
        return typeOfField(found);
      }
      const names = of.message.fields.map((candidate) => candidate.name);
      const named = of.message.fields.find((candidate) => candidate.jsonName === field)?.name;
      const hint = named === undefined ? suggest(field, names, "fields") : `did you mean '${named}'?`;
      return report(
        checking,
        node,
        "CEL_UNKNOWN_FIELD",
        `message ${of.message.typeName} has no field '${field}'`,
        hint,
      );
    }
    case "opaque":
      if (of.name === "optional_type")
        return { ...of, parameters: of.parameters.map((inner) => fieldType(checking, node, inner, field)) };
      return noFields(checking, node, of, field);
    case "null":
    case "bool":
    case "int":
    case "uint":
    case "double":
    case "string":
    case "bytes":
    case "timestamp":
    case "duration":
    case "list":
    case "wrapper":
    case "type":
      return noFields(checking, node, of, field);
  }
}

function noFields(checking: Checking, node: Expr, of: CelType, field: string): CelType {
  const shown = showType(resolve(checking.substitution, of));
  return report(checking, node, "CEL_TYPE", `${shown} has no fields`, noFieldsHint(of, field));
}

function noFieldsHint(of: CelType, field: string): string | undefined {
  const isCounted = of.kind === "list" || of.kind === "string" || of.kind === "bytes";
  if (isCounted && /^(length|size|count|len)$/i.test(field)) return "how long it is says size(x)";
  if (of.kind === "list") return "take an element, x[0] for example, or map(x, x.field) over it";
  if (of.kind === "timestamp") return "its parts are methods: getFullYear(), getHours(), …";
  if (of.kind === "duration") return "its parts are methods: getHours(), getMinutes(), getSeconds(), getMilliseconds()";
  return of.kind === "wrapper" ? "the value itself stands for its field `value`" : undefined;
}
