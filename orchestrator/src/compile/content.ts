import type { DescEnum, DescField, DescMessage, DescMethod, FileRegistry } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Defaults, QueryMethod, SignalMethod, Workflow } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { reachableFrom, shapeOf } from "./reachable.ts";
import type { Siblings } from "./siblings.ts";
import type { PlannedWorkflow } from "./workflow.ts";

/** Messages of the engine's own that expressions may read: they belong to no contract. */
const engineTypes: ReadonlySet<string> = new Set([
  "sidestep.v1.RunRecord",
  "sidestep.v1.StepRecord",
  "sidestep.v1.Error",
  "sidestep.v1.Decision",
]);

/**
 * The canonical bytes whose hash is the content of a workflow: its option, those of its signals and queries, the defaults of its service,
 * and every method, message and enum reachable from it, each described by what it means and sorted by name. Comments, white space, file names, the order of
 * declarations, other workflows and options of others are not in it.
 */
export function contentPreimage(
  registry: FileRegistry,
  method: DescMethod,
  definition: Workflow,
  defaults: Defaults | undefined,
  siblings: Siblings,
  planned: Pick<PlannedWorkflow, "methods" | "types">,
): Uint8Array {
  const types = [...planned.types].filter((name) => !engineTypes.has(name));
  const called = planned.methods.map(describeMethod).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const described = [...reachableFrom(registry, types).values()].map((type) =>
    type.kind === "enum" ? describeEnum(type) : describeMessage(type),
  );
  const writer = new BinaryWriter()
    .string("sidestep content 1")
    .string(JSON.stringify(describeMethod(method)))
    .bytes(Workflow.encode(definition).finish())
    .bytes(defaults === undefined ? new Uint8Array() : Defaults.encode(defaults).finish())
    .string(JSON.stringify(called))
    .string(JSON.stringify(described));
  // Without any the bytes are those that they were before there were siblings.
  for (const [sibling, option] of siblingOptions(siblings)) writer.string(JSON.stringify(sibling)).bytes(option);
  return writer.finish();
}

/** The rpcs that are compiled into the workflow's plan, by name, each with its option. */
function siblingOptions({ signals, queries }: Siblings) {
  return [
    ...signals.map(
      ({ method, definition }) => [describeMethod(method), SignalMethod.encode(definition).finish()] as const,
    ),
    ...queries.map(
      ({ method, definition }) => [describeMethod(method), QueryMethod.encode(definition).finish()] as const,
    ),
  ].toSorted(([a], [b]) => (a.name < b.name ? -1 : 1));
}

function describeMethod(method: DescMethod): { readonly name: string } & Readonly<Record<string, unknown>> {
  return {
    name: `${method.parent.typeName}/${method.name}`,
    kind: method.methodKind,
    input: method.input.typeName,
    output: method.output.typeName,
    idempotency: method.idempotency,
  };
}

function describeEnum(type: DescEnum): unknown {
  const values = type.values.map(({ name, number }) => [number, name] as const);
  return {
    name: type.typeName,
    open: type.open,
    values: values.toSorted((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1)),
  };
}

function describeMessage(type: DescMessage): unknown {
  return { name: type.typeName, fields: type.fields.map(describeField).toSorted((a, b) => a.number - b.number) };
}

function describeField(field: DescField): { readonly number: number } & Readonly<Record<string, unknown>> {
  return {
    number: field.number,
    name: field.name,
    jsonName: field.jsonName,
    kind: field.fieldKind,
    shape: shapeOf(field),
    presence: field.presence,
    oneof: field.oneof?.name,
    key: field.fieldKind === "map" ? field.mapKey : undefined,
    packed: field.fieldKind === "list" ? field.packed : undefined,
    delimited: "delimitedEncoding" in field ? field.delimitedEncoding : undefined,
    utf8: field.utf8Validation,
    default: field.proto.defaultValue,
  };
}
