import type { Diagnostic } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import { fromBinary } from "@bufbuild/protobuf";
import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import { toBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { didYouMean } from "../../../orchestrator/src/compile/closest.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import { inventMessage } from "../../../proto/json/invent.ts";
import { toRegistry } from "../../../proto/json/registry.ts";
import { loadWorkflows } from "../../../testing/src/kit/contracts.ts";
import { diagnosticText } from "../../../orchestrator/src/compile/diagnosticText.ts";
import { buildImage } from "../buildImage.ts";
import type { ProtoSources } from "../buildImage.ts";
import { hasError, printDiagnostics } from "../check.ts";
import { CliFailure, exit } from "../failure.ts";
import { openFixtures } from "../fixturePick.ts";
import type { PickFixture } from "../fixturePick.ts";
import { readFixtures } from "../fixtures.ts";
import type { Fixtures } from "../fixtures.ts";
import { jsonToBytes } from "../messageJson.ts";
import { readRequestText } from "../requestText.ts";
import type { Terminal } from "../terminal.ts";
import type { Registry } from "@bufbuild/protobuf";

/** What a simulation is asked for. */
export interface SimulationOptions {
  /** Full name of the workflow rpc. */
  readonly workflow: string;
  readonly folder: string;
  readonly descriptorSet: string | undefined;
  /** JSON, @file or -; undefined: it is made up. */
  readonly request: string | undefined;
  readonly fixtures: string | undefined;
  readonly seed: number;
}

/** All that a simulation of one workflow stands on. */
export interface SimulationGround {
  readonly registry: Registry;
  readonly workflows: ReadonlyMap<string, LoadedPlan>;
  readonly workflow: string;
  readonly plan: LoadedPlan;
  readonly request: Uint8Array;
  readonly requestJson: JsonValue;
  readonly seed: number;
  /** Fixtures from their beginning on; undefined: there are none. */
  readonly fixtures: () => PickFixture | undefined;
}

/** Reads contracts, request and fixtures; undefined: something is wrong, and it was printed. Throws CliFailure. */
export async function readSimulation(
  options: SimulationOptions,
  terminal: Terminal,
): Promise<SimulationGround | undefined> {
  const { workflow, folder, descriptorSet, seed } = options;
  const read = await readContractsOf(folder, descriptorSet, terminal);
  if (read === undefined) return undefined;
  const { registry, workflows } = read;
  const plan = workflows.get(workflow);
  if (plan === undefined) throw unknownWorkflow(workflow, workflows, descriptorSet ?? folder);
  const fixtures = await fixturesOf(options.fixtures, registry, terminal);
  if (fixtures === "wrong") return undefined;
  const type = registry.getMessage(plan.plan.requestType);
  if (type === undefined) throw unknownWorkflow(workflow, workflows, folder);
  const request = await requestOf(options, type, registry, terminal);
  const requestJson = toJson(type, fromBinary(type, request), { registry });
  return {
    registry,
    workflows,
    workflow,
    plan,
    request,
    requestJson,
    seed,
    fixtures: () => (fixtures === undefined ? undefined : openFixtures(fixtures, registry)),
  };
}

/** Workflows of a folder or an image, ready to run; undefined: they are wrong, and it was printed. Throws CliFailure. */
export async function readContractsOf(
  folder: string,
  descriptorSet: string | undefined,
  terminal: Terminal,
): Promise<{ readonly registry: Registry; readonly workflows: ReadonlyMap<string, LoadedPlan> } | undefined> {
  const found = descriptorSet === undefined ? await imageOfFolder(folder, terminal) : await imageOfFile(descriptorSet);
  if (found === undefined) return undefined;
  const { compileImage } = await import("../../../orchestrator/src/compile/compileImage.ts");
  const compiled = compileImage(found.image, found.sources === undefined ? {} : { sources: found.sources.compiled });
  if (hasError(compiled.diagnostics)) {
    const place = found.sources?.place ?? ((one: Diagnostic) => one);
    printDiagnostics(compiled.diagnostics.map(place), found.sources, printing(terminal));
    return undefined;
  }
  const registry = toRegistry(fromBinary(FileDescriptorSetSchema, found.image).file);
  return { registry, workflows: loadWorkflows(compiled.workflows) };
}

interface FoundImage {
  readonly image: Uint8Array;
  readonly sources: ProtoSources | undefined;
}

async function imageOfFolder(folder: string, terminal: Terminal): Promise<FoundImage | undefined> {
  const built = await buildImage(folder);
  switch (built.kind) {
    case "built":
      return built;
    case "wrong":
      printDiagnostics(built.diagnostics, built.sources, printing(terminal));
      return undefined;
    case "failed":
      throw new CliFailure(exit.error, built.what, built.where, built.next);
  }
}

async function imageOfFile(file: string): Promise<FoundImage> {
  const { readFile } = await import("node:fs/promises");
  try {
    return { image: new Uint8Array(await readFile(file)), sources: undefined };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const next = "make one with `buf build --as-file-descriptor-set -o image.binpb`";
    throw new CliFailure(exit.error, `the descriptor set can't be read: ${reason}`, file, next, error);
  }
}

function printing(terminal: Terminal): Parameters<typeof printDiagnostics>[2] {
  return { color: terminal.colors.err, out: (text) => terminal.err(`${text}\n`) };
}

async function fixturesOf(
  file: string | undefined,
  registry: Registry,
  terminal: Terminal,
): Promise<Fixtures | undefined | "wrong"> {
  if (file === undefined) return undefined;
  const { text, parsed } = await readFixtures(file, registry);
  if (parsed.kind === "fixtures") return parsed.fixtures;
  const sources = new Map([[file, text]]);
  for (const diagnostic of parsed.diagnostics)
    terminal.err(`${diagnosticText(diagnostic, { sources, color: terminal.colors.err })}\n\n`);
  return "wrong";
}

async function requestOf(
  { request, seed }: SimulationOptions,
  type: DescMessage,
  registry: Registry,
  terminal: Terminal,
): Promise<Uint8Array> {
  if (request === undefined) return toBinary(type, inventMessage(type, { seed }));
  return jsonToBytes(registry, type.typeName, await readRequestText(request, terminal));
}

function unknownWorkflow(name: string, known: ReadonlyMap<string, unknown>, where: string): CliFailure {
  const near = didYouMean(name, known.keys());
  const all = known.size === 0 ? "no rpc there has the option (sidestep.v1.workflow)" : [...known.keys()].join(", ");
  return new CliFailure(exit.notFound, `there is no workflow ${name}`, where, near === "" ? `there are: ${all}` : near);
}
