import type { CompiledImage } from "../../../orchestrator/src/compile/compileImage.ts";
import { DeployedWorkflow_Change as Change } from "../../../proto/gen/sidestep/v1/definitions.ts";
import type { DeployedWorkflow } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { buildImage } from "../buildImage.ts";
import type { ProtoSources } from "../buildImage.ts";
import { hasError, printDiagnostics } from "../check.ts";
import { CliFailure, failureText } from "../failure.ts";
import type { FrontClient } from "../frontClient.ts";

/** Contracts that were built and found right; `said` are warnings. */
export interface Checked {
  readonly kind: "checked";
  readonly image: Uint8Array;
  readonly compiled: CompiledImage;
  readonly said: string;
}

/** What became of building a folder. `said` is to be shown, as `sidestep check` would. */
export type Built = Checked | { readonly kind: "wrong"; readonly said: string };

const deployTimeoutMs = 60_000;

/** Builds and checks the .proto files of a folder. */
export async function buildAndCheck(folder: string, color: boolean): Promise<Built> {
  const [build, { compileImage }] = await Promise.all([
    buildImage(folder),
    import("../../../orchestrator/src/compile/compileImage.ts"),
  ]);
  switch (build.kind) {
    case "failed":
      return { kind: "wrong", said: `${build.what}\nWhere: ${build.where}\nWhat next: ${build.next}` };
    case "wrong":
      return { kind: "wrong", said: textOf(build.diagnostics, build.sources, color) };
    case "built": {
      const compiled = compileImage(build.image, { sources: build.sources.compiled });
      const said = textOf(compiled.diagnostics.map(build.sources.place), build.sources, color);
      return hasError(compiled.diagnostics)
        ? { kind: "wrong", said }
        : { kind: "checked", image: build.image, compiled, said };
    }
  }
}

function textOf(diagnostics: CompiledImage["diagnostics"], sources: ProtoSources, color: boolean): string {
  const texts: string[] = [];
  printDiagnostics(diagnostics, sources, { color, out: (text) => void texts.push(text) });
  return texts.join("\n").trimEnd();
}

/** Deploys what was checked. What went wrong comes as text. */
export async function deployChecked(
  client: FrontClient,
  { image }: Checked,
): Promise<
  | { readonly kind: "deployed"; readonly workflows: readonly DeployedWorkflow[] }
  | { readonly kind: "refused"; readonly said: string }
> {
  try {
    const request = { image: Buffer.from(image), dryRun: false, reason: "sidestep dev", allowBreaking: true };
    const answer = await client.call(client.definitions.deploy.bind(client.definitions), request, deployTimeoutMs);
    return { kind: "deployed", workflows: answer.workflows };
  } catch (error) {
    if (error instanceof CliFailure) return { kind: "refused", said: failureText(error).trimEnd() };
    throw error;
  }
}

/** Whether a deploy has made anything different. */
export function isChange({ change }: DeployedWorkflow): boolean {
  return change !== Change.UNCHANGED;
}

/** Whether new runs of it can be started. */
export function isActive({ change }: DeployedWorkflow): boolean {
  return change !== Change.RETIRED;
}
