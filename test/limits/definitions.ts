import { FileDescriptorSetSchema, MethodDescriptorProtoSchema, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { buildContract, errorsOf, makeSet } from "../../orchestrator/src/compile/testing.ts";
import type { MadeWorkflow } from "../../orchestrator/src/compile/testing.ts";
import { QueryMethod, SignalMethod } from "../../proto/gen/sidestep/v1/workflow.ts";

// What the compiler says of definitions that are as large as a limit, and of those that are larger by one.

/** What is told at the limit, which is nothing, and one over it. */
export interface Case {
  readonly at: () => string;
  readonly over: () => string;
}
/** A workflow option. */
export type Definition = MadeWorkflow["workflow"];
/** One of its steps. */
export type Step = NonNullable<Definition["step"]>[number];

/** What made definitions call. */
export const contract = buildContract();
/** The response of one. */
export const output = "{reservation_id: input.id}";
/** A step that calls nothing. */
export const pause: Step = { kind: { $case: "wait", value: { kind: { $case: "for", value: "1s" } } } };
/** In bytes. */
export const mebibyte = 1024 * 1024;

/** So many of something, by their numbers. */
export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** What the compiler says of a definition: codes and messages. */
function checked(workflow: Definition): string {
  const image = toBinary(FileDescriptorSetSchema, makeSet(contract, [{ workflow: { output, ...workflow } }]));
  return errorsOf(compileImage(image).diagnostics)
    .map(({ code, message, hint }) => `${code} ${message} ${hint}`)
    .join("; ");
}

/** One definition as large as the limit, and one over it. */
export function definition(max: number, make: (count: number) => Definition): Case {
  return { at: () => checked(make(max)), over: () => checked(make(max + 1)) };
}

/** The same of an expression. */
export function expression(max: number, make: (count: number) => string): Case {
  const inLet = (source: string): Definition => ({
    step: [{ id: "value", kind: { $case: "let", value: { value: source } } }],
    output: "cel.bind(v, value, {})",
  });
  return definition(max, (count) => inLet(make(count)));
}

/** What the compiler says of a workflow with so many rpcs beside it; the option of each is made by its number. */
function beside(
  count: number,
  response: string,
  option: (index: number) => readonly [number: number, bytes: Uint8Array],
): string {
  const set = makeSet(contract, [{ workflow: { key: "input.id", step: [pause], output } }]);
  const rpcs = times(count, (index) => {
    const [number, bytes] = option(index);
    const field = new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish();
    return create(MethodDescriptorProtoSchema, {
      name: `Beside${index}`,
      inputType: ".contract.v1.Order",
      outputType: `.contract.v1.${response}`,
      options: fromBinary(MethodOptionsSchema, field),
    });
  });
  set.file.at(-1)?.service[0]?.method.push(...rpcs);
  return errorsOf(compileImage(toBinary(FileDescriptorSetSchema, set)).diagnostics)
    .map(({ code, message }) => `${code} ${message}`)
    .join("; ");
}

/** Of so many rpcs that signal. */
export function signals(count: number): string {
  const named = { workflow: "Place", key: "input.id", start: "", trigger: [] };
  return beside(count, "Nothing", (index) => [51702, SignalMethod.encode({ ...named, name: `s${index}` }).finish()]);
}

/** Of so many rpcs that ask. */
export function queries(count: number): string {
  const query = { workflow: "Place", key: "input.id", output: "{}" };
  return beside(count, "Receipt", () => [51703, QueryMethod.encode(query).finish()]);
}

/** Blocks in each other. */
export function nested(depth: number): Step {
  if (depth === 0) return pause;
  return { kind: { $case: "parallel", value: { branch: [{ step: [nested(depth - 1)] }] } } };
}

/** An image padded to a size. */
export function padded(bytes: number): string {
  const made = toBinary(FileDescriptorSetSchema, makeSet(contract, [{ workflow: { step: [pause], output } }]));
  // Tag and length of an unknown field take six bytes.
  const padding = new BinaryWriter()
    .tag(15, WireType.LengthDelimited)
    .bytes(new Uint8Array(bytes - made.length - 5))
    .finish();
  return errorsOf(compileImage(Buffer.concat([made, padding])).diagnostics)
    .map(({ code, message }) => `${code} ${message}`)
    .join("; ");
}
