import type { DescMessage, DescMethod, FileRegistry } from "@bufbuild/protobuf";
import type { ValueType } from "../engine/expression/value.ts";
import type { Feature } from "./feature.ts";
import type { Findings } from "./findings.ts";
import type { CompileLimits } from "./limits.ts";
import type { Names } from "./names.ts";
import type { Settings } from "./settings.ts";

/** The image a workflow is compiled in; the same for all its workflows. */
export interface Surroundings {
  readonly registry: FileRegistry;
  /** First segments of all packages. */
  readonly packages: ReadonlySet<string>;
  readonly limits: CompileLimits;
  readonly findings: Findings;
  /** What may be deployed of the later parts of the schema. */
  readonly features: ReadonlySet<Feature>;
}

/** The workflow that is being compiled. What it collects is changed in place. */
export interface Context extends Surroundings {
  readonly method: DescMethod;
  readonly request: ValueType;
  /** Package that names in expressions are looked up from. */
  readonly container: string;
  readonly names: Names;
  /** Headers of the caller that the workflow names. */
  readonly metadata: readonly string[];
  /** What a call without settings of its own does. */
  readonly settings: Settings;
  /** The path of the step that each id names; wrong ids are left out. */
  readonly ids: ReadonlyMap<string, string>;
  /** Full names of the messages and enums that the plan's descriptors must hold. */
  readonly types: Set<string>;
  /** The rpcs it calls, by "package.Service/Method". */
  readonly methods: Map<string, DescMethod>;
  /** The workflows it runs as children, by "package.Service/Method". */
  readonly children: Map<string, DescMethod>;
  /** Messages of the signals it takes, by name. */
  readonly signals: Map<string, DescMessage>;
  /** Messages that no contract has: results of loops. */
  readonly synthesized: DescMessage[];
  /** Names that expressions read. */
  readonly read: Set<string>;
  /** Ids of the steps whose compilation is done, in document order: a block's own are those since it began. */
  readonly finished: string[];
  stepCount: number;
}
