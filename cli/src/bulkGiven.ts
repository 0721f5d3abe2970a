import type { Run } from "../../proto/gen/sidestep/v1/run.ts";
import { BulkAction_Kind as Kind } from "../../proto/gen/sidestep/v1/runs.ts";
import type { BulkAction } from "../../proto/gen/sidestep/v1/runs.ts";
import { actOnMany, findFirst, nothing } from "./bulk.ts";
import type { BulkOptions } from "./bulk.ts";
import { openFrontClient } from "./frontClient.ts";
import type { FrontClient } from "./frontClient.ts";
import { jsonToBytes } from "./messageJson.ts";
import { methodTypes } from "./methodRpc.ts";
import { readRequestText } from "./requestText.ts";
import type { Terminal } from "./terminal.ts";
import { registryFor } from "./workflowRpc.ts";

/** Actions that bring something for each run. */
export type Giving = "skip" | "patch" | "signal" | "approve" | "reject" | "rerun";

export interface GiveManyOptions extends BulkOptions {
  /** Of the signal, or of the step; empty: the only one. */
  readonly name: string;
  /** Who decides; empty: who asks. */
  readonly by: string;
  /** JSON, @file or -; undefined: an empty message. */
  readonly request: string | undefined;
  /** Folder with the .proto files of the step's method; undefined: the orchestrator describes it. */
  readonly protoFolder: string | undefined;
}

const kinds: Readonly<Record<Giving, Kind>> = {
  skip: Kind.SKIP,
  patch: Kind.PATCH,
  signal: Kind.SIGNAL,
  approve: Kind.APPROVE,
  reject: Kind.REJECT,
  rerun: Kind.RERUN,
};

/** Gives the same to many runs, typed as the newest of them takes it; those of another version that it does not fit refuse it. */
export async function giveToMany(giving: Giving, options: GiveManyOptions, terminal: Terminal): Promise<void> {
  const { name, reason, filter, by } = options;
  const bare = { ...nothing, kind: kinds[giving], reason, name, by };
  if (giving === "reject" || giving === "rerun") {
    await actOnMany(giving, bare, options, terminal);
    return;
  }
  let action: BulkAction = bare;
  {
    using client = openFrontClient(options.address);
    const runId = await findFirst(client, { filter, action: bare });
    const { run } = runId === undefined ? {} : await client.call(client.runs.get.bind(client.runs), { runId });
    const given = run === undefined ? Buffer.of() : await bytesOf(giving, run, client, options, terminal);
    action = giving === "skip" ? { ...bare, result: given } : { ...bare, payload: given };
  }
  await actOnMany(giving, action, options, terminal);
}

/** Empty where the run takes nothing there: the orchestrator says so of each run. */
async function bytesOf(
  giving: "skip" | "patch" | "signal" | "approve",
  run: Run,
  client: FrontClient,
  { name, request, protoFolder }: GiveManyOptions,
  terminal: Terminal,
): Promise<Buffer> {
  const isMeant = ({ step }: { readonly step: string }): boolean => name === "" || step === name;
  if (giving === "signal" || giving === "approve") {
    const found = giving === "signal" ? run.signals.find((one) => one.name === name) : run.approvals.find(isMeant);
    if (found === undefined || found.type === "") return Buffer.of();
    const json = await readRequestText(request, terminal);
    return Buffer.from(jsonToBytes(await registryFor(client, run.workflow), found.type, json));
  }
  const incident = run.incidents.find(isMeant);
  const isCompensation = incident?.compensation ?? false;
  const step = run.steps.find((one) => one.path === incident?.step && one.compensation === isCompensation);
  // A compensation has no result.
  if (step === undefined || (giving === "skip" && isCompensation)) return Buffer.of();
  const json = await readRequestText(request, terminal);
  const types = await methodTypes(client, step.method, protoFolder);
  return Buffer.from(jsonToBytes(types.registry, giving === "skip" ? types.responseType : types.requestType, json));
}
