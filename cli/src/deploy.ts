import {
  BreakingChanges,
  DeployedWorkflow_Change as Change,
  DeployResponse,
} from "../../proto/gen/sidestep/v1/definitions.ts";
import { DeployDiagnostics, Diagnostic_Severity } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import type { ServiceError } from "@grpc/grpc-js";
import type { Diagnostic } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { printDiagnostics } from "./check.ts";
import { toGithub, toSarif } from "./checkFormat.ts";
import { CliFailure, errorDetails, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import { bytesToJson } from "./messageJson.ts";
import { breakText } from "./breaks.ts";
import { readSource } from "./source.ts";
import type { Source } from "./source.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export interface DeployOptions {
  readonly address: string;
  readonly folder: string;
  /** File with a google.protobuf.FileDescriptorSet to deploy instead of the folder. */
  readonly descriptorSet: string | undefined;
  readonly isDryRun: boolean;
  readonly reason: string;
  /** Deploy although it breaks something. */
  readonly allowsBreaking: boolean;
  readonly output: "table" | "json";
}

const deployTimeoutMs = 60_000;

/** Builds as `check` does and deploys; wrong definitions are shown as `check` shows them, or as JSON. */
export async function deploy(options: DeployOptions, terminal: Terminal): Promise<void> {
  const source = await readSource(options.folder, options.descriptorSet);
  const { image, diagnostics } = source;
  if (image === undefined || hasError(diagnostics)) throw wrong(nothing, diagnostics, source, options, terminal);
  using client = openFrontClient(options.address);
  const { isDryRun: dryRun, reason, allowsBreaking: allowBreaking } = options;
  const request = { image: Buffer.from(image), dryRun, reason, allowBreaking };
  const answer = await client
    .call(client.definitions.deploy.bind(client.definitions), request, deployTimeoutMs)
    .catch((error: unknown) => {
      const found = diagnosticsOf(error);
      if (found.length > 0) throw wrong(nothing, found, source, options, terminal);
      throw breakingOf(error, options, terminal) ?? error;
    });
  if (options.output === "json") {
    const bytes = DeployResponse.encode(answer).finish();
    return terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.DeployResponse", bytes)}\n`);
  }
  show(answer.diagnostics, source, terminal);
  if (answer.workflows.length === 0) terminal.err("no workflow found: no rpc has the option (sidestep.v1.workflow)\n");
  const rows = answer.workflows.map(({ workflow, version, change }) => [
    workflow,
    String(version),
    changeText(change, options.isDryRun),
  ]);
  if (rows.length > 0) terminal.out(tableText(["WORKFLOW", "VERSION", options.isDryRun ? "WOULD BE" : "IS"], rows));
}

/** What `check` finds, for programs; true when there is an error in it. JSON is a sidestep.v1.DeployDiagnostics. */
export async function checkFor(
  format: "json" | "sarif" | "github",
  folder: string,
  descriptorSet: string | undefined,
  terminal: Terminal,
): Promise<boolean> {
  const { diagnostics, sources } = await readSource(folder, descriptorSet);
  const showFile = sources?.showFile ?? ((file: string) => file);
  switch (format) {
    case "json":
      printJson(diagnostics, terminal);
      break;
    case "sarif":
      terminal.out(`${toSarif(diagnostics, showFile)}\n`);
      break;
    case "github":
      if (diagnostics.length > 0) terminal.out(`${toGithub(diagnostics, showFile)}\n`);
      break;
  }
  return hasError(diagnostics);
}

const nothing = "nothing was deployed";

/** Why a deploy was refused that would break something; undefined: it was not refused for that. */
function breakingOf(error: unknown, { address }: DeployOptions, terminal: Terminal): CliFailure | undefined {
  const cause = error instanceof CliFailure ? error.cause : undefined;
  if (!isServiceError(cause) || errorDetails(cause).reason !== "BREAKING_CHANGE") return undefined;
  const { details } = errorDetails(cause);
  const breaks = details.flatMap(({ typeUrl, value }) =>
    typeUrl.endsWith("/sidestep.v1.BreakingChanges") ? BreakingChanges.decode(value).breaks : [],
  );
  for (const one of breaks)
    terminal.err(`${breakText(one)}
`);
  const next = "see all of it with `sidestep plan`; mend it, or deploy with --allow-breaking";
  return new CliFailure(exit.findings, cause.details, `the orchestrator at ${address}`, next, error);
}

/** Is one of them an error? */
export function hasError(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === Diagnostic_Severity.ERROR);
}

/** What is found is shown, and is why nothing was done. */
export function wrong(
  what: string,
  diagnostics: readonly Diagnostic[],
  source: Source,
  { folder, descriptorSet, output }: Pick<DeployOptions, "folder" | "descriptorSet" | "output">,
  terminal: Terminal,
): CliFailure {
  if (output === "json") printJson(diagnostics, terminal);
  else show(diagnostics, source, terminal);
  const count = `${diagnostics.length} ${diagnostics.length === 1 ? "finding" : "findings"}`;
  const next = "mend what is shown above; docs/errors.md explains each code";
  return new CliFailure(exit.findings, `${what}: ${count}`, descriptorSet ?? folder, next);
}

function printJson(diagnostics: readonly Diagnostic[], terminal: Terminal): void {
  const bytes = DeployDiagnostics.encode({ diagnostics }).finish();
  terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.DeployDiagnostics", bytes)}\n`);
}

/** Shows what was found on the error stream. */
export function show(diagnostics: readonly Diagnostic[], { sources }: Source, terminal: Terminal): void {
  printDiagnostics(diagnostics, sources, { color: terminal.colors.err, out: (text) => terminal.err(`${text}\n`) });
}

/** What an orchestrator found wrong; empty: it failed for something else. */
export function diagnosticsOf(error: unknown): readonly Diagnostic[] {
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

/** What becomes of a workflow, in words. */
export function changeText(change: Change, isDryRun: boolean): string {
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
