import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Diagnostic } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import { contentPreimage } from "./content.ts";
import type { Surroundings } from "./context.ts";
import { toDiagnostics } from "./diagnostic.ts";
import { engineFeatures } from "./feature.ts";
import type { Feature } from "./feature.ts";
import { newFindings } from "./findings.ts";
import { firstSegmentsOfPackages, parseImage } from "./image.ts";
import { defaultCompileLimits } from "./limits.ts";
import type { CompileLimits } from "./limits.ts";
import { defaultsOption, hasExtension, readDefaults, readWorkflow, workflowOption } from "./option.ts";
import { rootPlace } from "./place.ts";
import { builtInSettings, mergeSettings } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { siblingsOf } from "./siblings.ts";
import type { Siblings } from "./siblings.ts";
import { compileWorkflow } from "./workflow.ts";

/** One workflow, ready to be deployed. */
export interface CompiledWorkflow {
  /** Full name of the rpc: "shop.v1.OrderWorkflow/Fulfil". */
  readonly workflow: string;
  readonly plan: Plan;
  /** Its SHA-256 names the content: equal for equal options over equal contracts, and for nothing else. */
  readonly contentPreimage: Uint8Array;
}

/** What an image came to. */
export interface CompiledImage {
  /** In the order of their names; empty when there is any error. */
  readonly workflows: readonly CompiledWorkflow[];
  /** By file and position; nothing of the image may be deployed when one is an error. */
  readonly diagnostics: readonly Diagnostic[];
  /** Full names of all services in the image, sorted. */
  readonly services: readonly string[];
}

/** What helps to compile, and bounds it. */
export interface CompileOptions {
  /** Texts of the .proto files, by their names in the image: with them diagnostics have exact positions. */
  readonly sources?: ReadonlyMap<string, string>;
  readonly limits?: CompileLimits;
  /** What may be deployed of the later parts of the schema; what the engine runs unless given. */
  readonly features?: ReadonlySet<Feature>;
}

/** Compiles every workflow of a google.protobuf.FileDescriptorSet. Whatever the bytes are, it doesn't throw. */
export function compileImage(image: Uint8Array, options: CompileOptions = {}): CompiledImage {
  const limits = options.limits ?? defaultCompileLimits;
  const findings = newFindings(limits.diagnosticsMax);
  const sources = options.sources ?? new Map<string, string>();
  if (image.length > limits.imageBytesMax) {
    const message = `the image has ${image.length} bytes, the limit is ${limits.imageBytesMax}`;
    findings.add("IMAGE_LIMIT", undefined, message, "build it without source info: buf build --exclude-source-info");
    return { workflows: [], diagnostics: toDiagnostics(findings, sources), services: [] };
  }
  const parsed = parseImage(image);
  if (parsed.kind === "wrong") {
    findings.add("IMAGE", undefined, parsed.message, parsed.hint);
    return { workflows: [], diagnostics: toDiagnostics(findings, sources), services: [] };
  }
  const { registry, services } = parsed;
  const features = options.features ?? engineFeatures;
  const surroundings = { registry, packages: firstSegmentsOfPackages(registry), limits, findings, features };
  const workflows = services.flatMap((service) => compileService(surroundings, service));
  return {
    workflows: findings.errorCount() > 0 ? [] : workflows,
    diagnostics: toDiagnostics(findings, sources),
    services: services.map((service) => service.typeName),
  };
}

function compileService(surroundings: Surroundings, service: DescService): readonly CompiledWorkflow[] {
  const settings = settingsOf(surroundings, service);
  const siblings = siblingsOf(surroundings, service);
  const compiled: CompiledWorkflow[] = [];
  for (const method of service.methods) {
    if (!hasExtension(method.proto.options, workflowOption.number)) continue;
    if (!isSchemaComplete(surroundings, method)) continue;
    const place = rootPlace({ service, method, option: workflowOption });
    const definition = readWorkflow(method.proto.options, place, surroundings.findings);
    if (definition === undefined) continue;
    const beside = siblings.get(method.name) ?? noSiblings;
    const planned = compileWorkflow(surroundings, { method, definition, place, settings, siblings: beside });
    if (planned === undefined) continue;
    const defaults = readDefaults(service.proto.options, place, newFindings(0));
    const preimage = contentPreimage(surroundings.registry, method, definition, defaults, beside, planned);
    compiled.push({ workflow: planned.plan.workflow, plan: planned.plan, contentPreimage: preimage });
  }
  return compiled.toSorted((a, b) => (a.workflow < b.workflow ? -1 : 1));
}

const noSiblings: Siblings = { signals: [], queries: [] };

function settingsOf({ findings, limits }: Surroundings, service: DescService): Settings {
  const place = rootPlace({ service, method: undefined, option: defaultsOption });
  const defaults = readDefaults(service.proto.options, place, findings);
  return defaults === undefined ? builtInSettings : mergeSettings(builtInSettings, defaults, place, findings, limits);
}

/** Expressions over `run` and `steps` need the messages that stand beside the options. */
function isSchemaComplete({ findings, registry }: Surroundings, method: DescMethod): boolean {
  const needed = {
    "sidestep.v1.RunRecord": 6,
    "sidestep.v1.StepRecord": 3,
    "sidestep.v1.Error": 8,
    "sidestep.v1.Decision": 4,
  };
  for (const [name, fields] of Object.entries(needed)) {
    if ((registry.getMessage(name)?.fields.length ?? 0) >= fields) continue;
    const place = rootPlace({ service: method.parent, method, option: workflowOption });
    const hint = "use the sidestep/v1/workflow.proto that came with this version";
    findings.add("SCHEMA", place, `the sidestep/v1/workflow.proto of the image has no complete ${name}`, hint);
    return false;
  }
  return true;
}
