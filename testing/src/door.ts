import { readContracts } from "./kit/contracts.ts";
import type { LoadedContracts } from "./kit/contracts.ts";
import { openSandboxOf } from "./kit/openSandbox.ts";
import type { Sandbox, SandboxOptions } from "./kit/sandbox.ts";
import { SandboxError } from "./kit/sandboxError.ts";

export {
  crashesOrchestrator,
  crashesSidecar,
  delayed,
  fails,
  hangs,
  inTurn,
  lost,
  streams,
  unreachable,
} from "./kit/answers.ts";
export type { Answer, Delay, Detail, Ending, Fake, FakeCall, StatusCode } from "./kit/answers.ts";
export { fake } from "./kit/fakes.ts";
export type { Fakes } from "./kit/fakes.ts";
export type { Given, Json, JsonMessage, Plain, PlainMessage } from "./kit/plain.ts";
export type { Decision, Run } from "./kit/run.ts";
export type { Sandbox, SandboxOptions, StartOptions } from "./kit/sandbox.ts";
export { SandboxError } from "./kit/sandboxError.ts";
export type {
  CallView,
  EmittedView,
  EventView,
  RunStateName,
  StatusView,
  StepStateName,
  StepView,
} from "./kit/views.ts";

/** Workflows and services of one project, compiled: make them once for a file of tests. */
export interface Contracts {
  /** Full names of the workflow rpcs: "shop.v1.OrderWorkflow/Fulfil". */
  readonly workflows: readonly string[];
  /** Full names of all services. */
  readonly services: readonly string[];
  /** What the checker warns of, as it prints it; empty: nothing. */
  readonly warnings: string;
}

const loaded = new WeakMap<Contracts, LoadedContracts>();

/**
 * Compiles the workflows of a folder of .proto files, as `sidestep check` does, or of a google.protobuf.FileDescriptorSet: its bytes, or a file that
 * holds them. Throws SandboxError with the checker's diagnostics when anything is wrong.
 */
export async function loadContracts(source: string | Uint8Array): Promise<Contracts> {
  const read = await readContracts(source);
  const contracts: Contracts = {
    workflows: [...read.workflows.keys()],
    services: read.services,
    warnings: read.warnings,
  };
  loaded.set(contracts, read);
  return contracts;
}

/** Opens a place where workflows run against fakes; each test opens its own. Throws SandboxError when a fake is of no known method. */
export function openSandbox(contracts: Contracts, options: SandboxOptions = {}): Sandbox {
  const read = loaded.get(contracts);
  if (read === undefined) throw new SandboxError("these contracts were not made by loadContracts");
  return openSandboxOf(read, options);
}
