import { createRegistry, fromJson, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import { defaultBudget, evaluateKept } from "../../../engine/expression/evaluate.ts";
import type { Bindings } from "../../../engine/expression/bindings.ts";
import { loadExpression } from "../../../engine/expression/load.ts";
import type { Evaluated, KeptValue } from "../../../engine/expression/result.ts";
import { parseValueType } from "../../../engine/expression/value.ts";
import type { ValueType } from "../../../engine/expression/value.ts";
import { checkExpression } from "../check.ts";
import type { CheckedExpression, CheckResult, Wanted } from "../request.ts";
import type { Scope } from "../scope.ts";
import { buildImage } from "./image.ts";

/** The types of the tests: every kind of field, the order example, and our own. */
export const registry: Registry = createRegistry(
  buildImage("orchestrator/src/compile/cel/testdata"),
  buildImage("examples/order/proto"),
  buildImage("proto"),
);

/** A message of the tests. */
export function messageNamed(name: string): DescMessage {
  const desc = registry.getMessage(name);
  if (desc === undefined) throw new Error(`no message ${name}`);
  return desc;
}

/** A value type of the tests. */
export function typeNamed(name: string): ValueType {
  const type = parseValueType(name, registry, "");
  if (type.kind === "wrong") throw new Error(type.message);
  return type;
}

/** Variables by name and the spelling of their types, all certain. */
export function scopeOf(variables: Readonly<Record<string, string>>): Scope {
  return {
    variables: new Map(
      Object.entries(variables).map(([name, type]) => [name, { kind: "certain" as const, type: typeNamed(type) }]),
    ),
    steps: new Map(),
    builtIns: new Set(["run", "now", "metadata"]),
  };
}

/** Checks with the tests' types. */
export function checkAs(source: string, wanted: Wanted, scope: Scope, container = "kinds.v1"): CheckResult {
  return checkExpression({ source, wanted, scope, registry, container });
}

/** Checks what must be right. */
export function checked(source: string, wanted: Wanted, scope: Scope, container = "kinds.v1"): CheckedExpression {
  const result = checkAs(source, wanted, scope, container);
  if (result.kind === "wrong") throw new Error(`${source}: ${result.issues.map((issue) => issue.message).join("; ")}`);
  return result.checked;
}

/** Bindings with these variables and nothing else. */
export function bindingsOf(variables: Readonly<Record<string, Uint8Array>>): Bindings {
  return {
    variable: (name) => variables[name],
    step: () => undefined,
    run: undefined,
    now: { seconds: 1_767_225_600n, nanos: 5 },
    metadata: new Map([["tenant", "acme"]]),
  };
}

/** A message's bytes from its JSON. */
export function bytesOf(message: string, json: JsonValue): Uint8Array {
  const desc = messageNamed(message);
  return toBinary(desc, fromJson(desc, json, { registry }));
}

/** Checks, stores, loads and evaluates a mapping over `input`. */
export function mapping(
  source: string,
  message: string,
  inputType: string,
  input: Uint8Array,
  budget = defaultBudget,
): Evaluated<KeptValue> {
  const { bytes } = checked(source, { kind: "value", type: typeNamed(message) }, scopeOf({ input: inputType }));
  return evaluateKept(loadExpression(bytes, registry), bindingsOf({ input }), budget);
}

/** Bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
