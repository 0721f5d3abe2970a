import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { clone, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodDescriptorProtoSchema,
  MethodOptionsSchema,
  ServiceDescriptorProtoSchema,
  ServiceOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import type { FileDescriptorSet, ServiceDescriptorProto } from "@bufbuild/protobuf/wkt";
import { Diagnostic_Severity } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import { Defaults, Workflow } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { DeepPartial } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { compileImage } from "./compileImage.ts";
import type { CompiledImage, CompiledWorkflow } from "./compileImage.ts";
import { diagnosticText } from "./diagnosticText.ts";

/** Root of this repository. */
export const repository = fileURLToPath(new URL("../../../", import.meta.url));

/** Builds modules of this repository, our proto/ among them, by buf. */
export function buildModules(
  modules: readonly string[],
  args: readonly string[] = ["--exclude-source-info"],
): Uint8Array {
  const folder = mkdtempSync(path.join(tmpdir(), "sidestep-image-"));
  const file = path.join(folder, "image.binpb");
  const config = { version: "v2", modules: ["proto", ...modules].map((module) => ({ path: module })) };
  try {
    const buf = path.join(repository, "node_modules", "@bufbuild", "buf", "bin", "buf");
    const all = [
      buf,
      "build",
      ".",
      "--as-file-descriptor-set",
      "--config",
      JSON.stringify(config),
      "-o",
      file,
      ...args,
    ];
    execFileSync(process.execPath, all, { cwd: repository, stdio: ["ignore", "ignore", "pipe"] });
    return new Uint8Array(readFileSync(file));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** testdata/contract alone: the services that made definitions call, and the option schema. */
export function buildContract(): FileDescriptorSet {
  const set = fromBinary(FileDescriptorSetSchema, buildModules(["orchestrator/src/compile/testdata/contract"]));
  const needed = ["google/", "sidestep/v1/workflow.proto", "contract/"];
  return create(FileDescriptorSetSchema, {
    file: set.file.filter((file) => needed.some((name) => file.name.startsWith(name))),
  });
}

/** A workflow rpc to be made: made.v1.<service>/<rpc>. */
export interface MadeWorkflow {
  readonly service?: string;
  readonly rpc?: string;
  /** Full names of messages; contract.v1.Order and contract.v1.Receipt unless given. */
  readonly input?: string;
  readonly output?: string;
  readonly isStreaming?: boolean;
  readonly workflow: DeepPartial<Workflow>;
  /** Of the service; the first workflow of a service tells. */
  readonly defaults?: DeepPartial<Defaults>;
}

/** The contract with a file of workflows beside it. */
export function makeSet(contract: FileDescriptorSet, workflows: readonly MadeWorkflow[]): FileDescriptorSet {
  const services = [...new Set(workflows.map(({ service = "Orders" }) => service))];
  const file = create(FileDescriptorProtoSchema, {
    name: "made/v1/made.proto",
    package: "made.v1",
    syntax: "proto3",
    dependency: ["contract/v1/contract.proto", "contract/v1/everything.proto", "sidestep/v1/workflow.proto"],
    service: services.map((name) =>
      makeService(
        name,
        workflows.filter(({ service = "Orders" }) => service === name),
      ),
    ),
  });
  return create(FileDescriptorSetSchema, { file: [...clone(FileDescriptorSetSchema, contract).file, file] });
}

function makeService(name: string, workflows: readonly MadeWorkflow[]): ServiceDescriptorProto {
  const service = create(ServiceDescriptorProtoSchema, { name });
  for (const made of workflows) {
    const { rpc = "Place", input = "contract.v1.Order", output = "contract.v1.Receipt", isStreaming = false } = made;
    const { workflow } = made;
    const options = create(MethodOptionsSchema);
    options.$unknown = [extension(Workflow.encode(Workflow.fromPartial(workflow as Workflow)).finish())];
    service.method.push(
      create(MethodDescriptorProtoSchema, {
        name: rpc,
        inputType: `.${input}`,
        outputType: `.${output}`,
        serverStreaming: isStreaming,
        options,
      }),
    );
  }
  const defaults = workflows[0]?.defaults;
  if (defaults !== undefined) {
    service.options = create(ServiceOptionsSchema);
    service.options.$unknown = [extension(Defaults.encode(Defaults.fromPartial(defaults as Defaults)).finish())];
  }
  return service;
}

/** Field 51701 as the descriptor library keeps it. */
export function extension(bytes: Uint8Array): { no: number; wireType: 2; data: Uint8Array<ArrayBuffer> } {
  return { no: 51701, wireType: 2, data: new Uint8Array(new BinaryWriter().bytes(bytes).finish()) };
}

/** Compiles workflows made over the contract. */
export function compileMade(contract: FileDescriptorSet, workflows: readonly MadeWorkflow[]): CompiledImage {
  return compileImage(toBinary(FileDescriptorSetSchema, makeSet(contract, workflows)));
}

/** Without the lints. */
export function errorsOf(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.filter(({ severity }) => severity === Diagnostic_Severity.ERROR);
}

/** Compiles a workflow that is right; throws its diagnostics when it isn't. */
export function compileRight(contract: FileDescriptorSet, workflow: MadeWorkflow): CompiledWorkflow {
  const { workflows, diagnostics } = compileMade(contract, [workflow]);
  const [only] = workflows;
  if (only === undefined) throw new Error(diagnostics.map((diagnostic) => diagnosticText(diagnostic)).join("\n"));
  return only;
}

/** A step that calls contract.v1.Stock/Reserve. */
export const reserve = {
  id: "reserve",
  kind: { $case: "call", value: { method: "contract.v1.Stock/Reserve", request: "{order_id: input.id}" } },
} as const;

/** A step that waits a second. */
export const pause = { kind: { $case: "wait", value: { kind: { $case: "for", value: "1s" } } } } as const;

/** A response out of `reserve`. */
export const output = "{reservation_id: reserve.reservation_id}";
