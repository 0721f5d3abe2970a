import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { DeployedWorkflow_Change as Change, DeployResponse } from "../../proto/gen/sidestep/v1/definitions.ts";
import { DeployDiagnostics, Diagnostic_Severity } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import type { ServiceError } from "@grpc/grpc-js";
import type { Diagnostic } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import { readFile } from "node:fs/promises";
import { buildImage } from "./buildImage.ts";
import type { ProtoSources } from "./buildImage.ts";
import { printDiagnostics } from "./check.ts";
import { CliFailure, errorDetails, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import { bytesToJson, toRegistry } from "./messageJson.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export interface DeployOptions {
  readonly address: string;
  readonly folder: string;
  /** File with a google.protobuf.FileDescriptorSet to deploy instead of the folder. */
  readonly descriptorSet: string | undefined;
  readonly isDryRun: boolean;
  readonly output: "table" | "json";
}

const deployTimeoutMs = 60_000;

/** Builds as `check` does and deploys; wrong definitions are shown as `check` shows them. */
export async function deploy(options: DeployOptions, terminal: Terminal): Promise<void> {
  const { image, sources } = await read(options, terminal);
  const { diagnostics } = compileImage(image, sources === undefined ? {} : { sources: sources.texts });
  if (diagnostics.some(({ severity }) => severity === Diagnostic_Severity.ERROR))
    throw wrong(diagnostics, sources, options, terminal);
  using client = openFrontClient(options.address);
  const request = { image: Buffer.from(image), dryRun: options.isDryRun };
  const answer = await client
    .call(client.definitions.deploy.bind(client.definitions), request, deployTimeoutMs)
    .catch((error: unknown) => {
      const found = diagnosticsOf(error);
      throw found.length === 0 ? error : wrong(found, sources, options, terminal);
    });
  if (options.output === "json") {
    terminal.out(
      `${bytesToJson(toRegistry(), "sidestep.v1.DeployResponse", DeployResponse.encode(answer).finish())}\n`,
    );
    return;
  }
  show(answer.diagnostics, sources, terminal);
  if (answer.workflows.length === 0) terminal.err("no workflow found: no rpc has the option (sidestep.v1.workflow)\n");
  const rows = answer.workflows.map(({ workflow, version, change }) => [
    workflow,
    String(version),
    changeText(change, options.isDryRun),
  ]);
  if (rows.length > 0) terminal.out(tableText(["WORKFLOW", "VERSION", options.isDryRun ? "WOULD BE" : "IS"], rows));
}

interface Source {
  readonly image: Uint8Array;
  readonly sources: ProtoSources | undefined;
}

async function read({ folder, descriptorSet, ...options }: DeployOptions, terminal: Terminal): Promise<Source> {
  if (descriptorSet !== undefined) {
    const image = await readFile(descriptorSet).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      const next = "make one with `buf build --as-file-descriptor-set -o image.binpb`";
      throw new CliFailure(exit.error, `the descriptor set can't be read: ${reason}`, descriptorSet, next, error);
    });
    return { image: new Uint8Array(image), sources: undefined };
  }
  const built = await buildImage(folder);
  switch (built.kind) {
    case "built":
      return built;
    case "wrong":
      throw wrong(built.diagnostics, built.sources, { ...options, folder, descriptorSet }, terminal);
    case "failed":
      throw new CliFailure(exit.error, built.what, built.where, built.next);
  }
}

function wrong(
  diagnostics: readonly Diagnostic[],
  sources: ProtoSources | undefined,
  { folder, descriptorSet }: DeployOptions,
  terminal: Terminal,
): CliFailure {
  show(diagnostics, sources, terminal);
  const count = `${diagnostics.length} ${diagnostics.length === 1 ? "finding" : "findings"}`;
  return new CliFailure(
    exit.findings,
    `nothing was deployed: ${count}`,
    descriptorSet ?? folder,
    "mend what is shown above; docs/errors.md explains each code",
  );
}

function show(diagnostics: readonly Diagnostic[], sources: ProtoSources | undefined, terminal: Terminal): void {
  printDiagnostics(diagnostics, sources, { color: terminal.colors.err, out: (text) => terminal.err(`${text}\n`) });
}

function diagnosticsOf(error: unknown): readonly Diagnostic[] {
  const cause = error instanceof CliFailure ? error.cause : undefined;
  if (!isServiceError(cause)) return [];
  const { details } = errorDetails(cause);
  return details.flatMap(({ typeUrl, value }) =>
    typeUrl.endsWith("/sidestep.v1.DeployDiagnostics") ? DeployDiagnostics.decode(value).diagnostics : [],
  );
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "metadata" in error && "code" in error;
}

function changeText(change: Change, isDryRun: boolean): string {
  switch (change) {
    case Change.ADDED:
      return isDryRun ? "added" : "new";
    case Change.UPDATED:
      return "updated";
    case Change.UNCHANGED:
      return "unchanged";
    case Change.REACTIVATED:
      return "active again";
    case Change.RETIRED:
      return "retired: no new runs, those that run go on";
    case Change.CHANGE_UNSPECIFIED:
    case Change.UNRECOGNIZED:
      return "changed";
  }
}
