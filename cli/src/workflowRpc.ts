import type { Registry } from "@bufbuild/protobuf";
import { splitMethod } from "../../proto/wire/subjects.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { CliFailure, exit } from "./failure.ts";
import type { FrontClient } from "./frontClient.ts";

/** A deployed workflow rpc by its types. */
export interface WorkflowRpc {
  readonly workflow: string;
  readonly requestType: string;
  readonly responseType: string;
  readonly registry: Registry;
}

/** Asks the orchestrator's reflection for the types of a workflow. Throws CliFailure when it is not deployed. */
export async function loadWorkflowRpc(client: FrontClient, workflow: string): Promise<WorkflowRpc> {
  const { service, name } = splitMethod(workflow);
  const files = await client.describe(service);
  const registry = toRegistry(files ?? []);
  const method = registry.getService(service)?.methods.find((one) => one.name === name);
  if (files === undefined || method === undefined) {
    const what = `no workflow ${workflow} is deployed`;
    const next = "`sidestep workflow list` shows what is deployed; `sidestep deploy` deploys";
    throw new CliFailure(exit.notFound, what, `the orchestrator at ${client.address}`, next);
  }
  return { workflow, requestType: method.input.typeName, responseType: method.output.typeName, registry };
}

/** Types for showing a run: its workflow's where they can be had, and ours. */
export async function registryFor(client: FrontClient, workflow: string): Promise<Registry> {
  return toRegistry((await client.describe(splitMethod(workflow).service)) ?? []);
}
