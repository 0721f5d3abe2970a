import { celMap } from "@bufbuild/cel";
import type { CelInput } from "@bufbuild/cel";
import { create, fromBinary } from "@bufbuild/protobuf";
import type { DescMessage, Registry } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { CompiledExpression } from "../../../../proto/gen/sidestep/internal/v1/expression.ts";
import { RunRecord, StepRecord } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import type { Bindings } from "./bindings.ts";
import { absent } from "./build.ts";
import { toKeptForm } from "./kept.ts";
import type { KeptForm } from "./kept.ts";
import { parseValueType } from "./value.ts";

/** The variables of one evaluation, by the names the checker's rewriting gave them. */
export type Activation = Readonly<Record<string, CelInput>>;

/** Where a rewritten name gets its value from. */
type Source = (bindings: Bindings) => CelInput;

/** Names in the rewritten syntax. They begin with @, so no type or package can be meant by them. */
export const rewrittenName = {
  variable: (name: string): string => `@${name}`,
  stepRan: (id: string): string => `@ran:${id}`,
  stepRecord: (id: string): string => `@step:${id}`,
  builtIn: (name: string): string => `@@${name}`,
  absent: "@absent",
};

const boundTo: unique symbol = Symbol("bindings");

/** Makes the variables of each evaluation: a getter for each name that the expression reads, called when it is read. */
export function toActivation(compiled: CompiledExpression, registry: Registry): (bindings: Bindings) => Activation {
  const getters: PropertyDescriptorMap = {};
  for (const [name, source] of sourcesOf(compiled, registry)) {
    getters[name] = {
      get(this: { readonly [boundTo]: Bindings }): CelInput {
        return source(this[boundTo]);
      },
    };
  }
  const shape: object = Object.create(null, getters);
  return (bindings) => {
    const activation = Object.create(shape);
    activation[boundTo] = bindings;
    return activation;
  };
}

function sourcesOf(compiled: CompiledExpression, registry: Registry): Map<string, Source> {
  const sources = new Map<string, Source>([[rewrittenName.absent, () => absent]]);
  for (const { name, type } of compiled.reads)
    sources.set(rewrittenName.variable(name), variableSource(name, type, registry));
  for (const id of compiled.steps) {
    sources.set(rewrittenName.stepRan(id), (bindings) => bindings.step(id) !== undefined);
    sources.set(rewrittenName.stepRecord(id), stepSource(id, registry));
  }
  for (const name of compiled.builtIns) sources.set(rewrittenName.builtIn(name), builtInSource(name, registry));
  return sources;
}

function variableSource(name: string, type: string, registry: Registry): Source {
  const parsed = parseValueType(type, registry, "");
  if (parsed.kind === "wrong") throw new Error(`the plan's descriptors lack ${type}: ${parsed.message}`);
  const form = toKeptForm(parsed, registry);
  return (bindings) => {
    const bytes = bindings.variable(name);
    if (bytes === undefined) throw new Error(`'${name}' has no value`);
    return decodeOnce(form, bytes, name);
  };
}

const decoded = new WeakMap<Uint8Array, { readonly message: DescMessage; readonly value: CelInput }>();

function decodeOnce(form: KeptForm, bytes: Uint8Array, name: string): CelInput {
  const known = decoded.get(bytes);
  if (known !== undefined && known.message === form.message) return known.value;
  const value = decode(form, bytes, name);
  decoded.set(bytes, { message: form.message, value });
  return value;
}

function decode(form: KeptForm, bytes: Uint8Array, name: string): CelInput {
  try {
    return form.decode(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`'${name}' can't be decoded as ${form.type}: ${reason}`, { cause: error });
  }
}

function stepSource(id: string, registry: Registry): Source {
  const desc = messageOf("sidestep.v1.StepRecord", registry);
  return (bindings) => {
    const record = bindings.step(id);
    return reflect(
      desc,
      record === undefined ? create(desc) : fromBinary(desc, StepRecord.encode(record).finish()),
      false,
    );
  };
}

function builtInSource(name: string, registry: Registry): Source {
  switch (name) {
    case "run": {
      const desc = messageOf("sidestep.v1.RunRecord", registry);
      return ({ run }) => {
        if (run === undefined) throw new Error("'run' has no value");
        return reflect(desc, fromBinary(desc, RunRecord.encode(run).finish()), false);
      };
    }
    case "now":
      return ({ now }) => {
        if (now === undefined) throw new Error("'now' has no value");
        return create(TimestampSchema, { seconds: now.seconds, nanos: now.nanos });
      };
    case "metadata":
      return ({ metadata }) => celMap(metadata);
    default:
      throw new Error(`a stored expression reads '${name}', which this engine does not know`);
  }
}

function messageOf(name: string, registry: Registry): DescMessage {
  const desc = registry.getMessage(name);
  if (desc === undefined) throw new Error(`the plan's descriptors lack ${name}`);
  return desc;
}
