import { readFile, stat } from "node:fs/promises";
import { fromBinary } from "@bufbuild/protobuf";
import type { DescMethod, Registry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { buildImage } from "../../../cli/src/buildImage.ts";
import type { ProtoSources } from "../../../cli/src/buildImage.ts";
import { compileImage } from "../../../orchestrator/src/compile/compileImage.ts";
import type { CompiledWorkflow } from "../../../orchestrator/src/compile/compileImage.ts";
import { diagnosticText } from "../../../orchestrator/src/compile/diagnosticText.ts";
import { loadPlan } from "../../../orchestrator/src/engine/loadPlan.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import { Diagnostic_Severity } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { toRegistry } from "../../../proto/json/registry.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { SandboxError } from "./sandboxError.ts";

/** Workflows and services, compiled. */
export interface LoadedContracts {
  /** By the full name of their rpc. */
  readonly workflows: ReadonlyMap<string, LoadedPlan>;
  readonly services: readonly string[];
  readonly registry: Registry;
  /** What the checker warns of, as it prints it; empty: nothing. */
  readonly warnings: string;
}

/**
 * Compiles the workflows of a folder of .proto files, as `sidestep check` does, or of a google.protobuf.FileDescriptorSet: bytes, or a file that
 * holds it. Throws SandboxError with all that the checker finds wrong.
 */
export async function readContracts(source: string | Uint8Array): Promise<LoadedContracts> {
  if (typeof source !== "string") return compiled(source, undefined);
  const kind = await stat(source).catch(() => undefined);
  if (kind?.isFile() === true) return compiled(new Uint8Array(await readFile(source)), undefined);
  const built = await buildImage(source);
  switch (built.kind) {
    case "built":
      return compiled(built.image, built.sources);
    case "wrong":
      throw new SandboxError(`the contracts in ${source} are wrong:\n\n${textOf(built.diagnostics, built.sources)}`);
    case "failed":
      throw new SandboxError(`${built.what}\nWhere: ${built.where}\nWhat next: ${built.next}`);
  }
}

/** An rpc of the contracts; undefined: there is none of that name. */
export function methodIn(registry: Registry, name: string): DescMethod | undefined {
  if (!name.includes("/")) return undefined;
  const { service, name: method } = splitMethod(name);
  return registry.getService(service)?.methods.find((one) => one.name === method);
}

/** What the compiler made of workflows, ready to run. */
export function loadWorkflows(workflows: readonly CompiledWorkflow[]): ReadonlyMap<string, LoadedPlan> {
  return new Map(workflows.map(({ workflow, plan }) => [workflow, loadPlan(Plan.encode(plan).finish())]));
}

function compiled(image: Uint8Array, sources: ProtoSources | undefined): LoadedContracts {
  const made = compileImage(image, sources === undefined ? {} : { sources: sources.texts });
  const text = textOf(made.diagnostics, sources);
  if (made.diagnostics.some(({ severity }) => severity !== Diagnostic_Severity.WARNING))
    throw new SandboxError(`the contracts are wrong:\n\n${text}`);
  return {
    workflows: loadWorkflows(made.workflows),
    services: made.services,
    registry: toRegistry(fromBinary(FileDescriptorSetSchema, image).file),
    warnings: text,
  };
}

function textOf(diagnostics: readonly Diagnostic[], sources: ProtoSources | undefined): string {
  const shown = sources === undefined ? {} : { sources: sources.texts, showFile: sources.showFile };
  return diagnostics.map((diagnostic) => diagnosticText(diagnostic, shown)).join("\n\n");
}
