import { readFile } from "node:fs/promises";
import type { CompiledImage } from "../../orchestrator/src/compile/compileImage.ts";
import { diagnosticText } from "../../orchestrator/src/compile/diagnosticText.ts";
import { Diagnostic_Severity } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import { buildImage } from "./buildImage.ts";
import type { ProtoSources } from "./buildImage.ts";

/** How `sidestep check` is asked to work. */
export interface CheckOptions {
  /** File with a google.protobuf.FileDescriptorSet to check instead of the folder. */
  readonly descriptorSet?: string | undefined;
  /** Colours for a terminal. */
  readonly color: boolean;
  /** Takes what is to be printed, one line or several without a last newline. */
  readonly out: (text: string) => void;
}

/** 0: nothing is wrong, warnings at most; 10: something is, and it was printed; 1: it could not be checked. */
export type CheckExitCode = 0 | 1 | 10;

/** Checks the workflows of a folder, or of a descriptor set, and prints what it finds. */
export async function check(folder: string, options: CheckOptions): Promise<CheckExitCode> {
  if (options.descriptorSet !== undefined) return await checkFile(options.descriptorSet, options);
  // The compiler takes as long to load as buf to build.
  const [build, { compileImage }] = await Promise.all([
    buildImage(folder),
    import("../../orchestrator/src/compile/compileImage.ts"),
  ]);
  switch (build.kind) {
    case "failed":
      return refuse(build.what, build.where, build.next, options);
    case "wrong":
      printDiagnostics(build.diagnostics, build.sources, options);
      options.out(countOf(build.diagnostics));
      return 10;
    case "built":
      return report(compileImage(build.image, { sources: build.sources.compiled }), build.sources, options);
  }
}

/** Prints diagnostics as `check` does it, with a line between them. */
export function printDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: ProtoSources | undefined,
  { color, out }: Pick<CheckOptions, "color" | "out">,
): void {
  for (const diagnostic of diagnostics) {
    const shown = sources === undefined ? {} : { sources: sources.texts, showFile: sources.showFile };
    out(`${diagnosticText(diagnostic, { ...shown, color })}\n`);
  }
}

async function checkFile(file: string, options: CheckOptions): Promise<CheckExitCode> {
  const { compileImage } = await import("../../orchestrator/src/compile/compileImage.ts");
  try {
    return report(compileImage(new Uint8Array(await readFile(file))), undefined, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return refuse(
      `the descriptor set can't be read: ${reason}`,
      file,
      "make one with `buf build -o image.binpb`",
      options,
    );
  }
}

function report(compiled: CompiledImage, sources: ProtoSources | undefined, options: CheckOptions): CheckExitCode {
  const told = sources === undefined ? compiled.diagnostics : compiled.diagnostics.map(sources.place);
  printDiagnostics(told, sources, options);
  const found = countOf(compiled.diagnostics);
  if (hasError(compiled.diagnostics)) {
    options.out(found);
    return 10;
  }
  for (const { workflow, plan } of compiled.workflows) {
    const calls = plan.methods.length === 0 ? "calls nothing" : `calls ${plan.methods.join(", ")}`;
    options.out(`${workflow}: ${plan.stepCount} ${plan.stepCount === 1 ? "step" : "steps"}, ${calls}`);
  }
  const count = compiled.workflows.length;
  if (count === 0) options.out("no workflow found: no rpc has the option (sidestep.v1.workflow)");
  else options.out(`${count} ${count === 1 ? "workflow" : "workflows"}, ${found === "" ? "nothing wrong" : found}`);
  return 0;
}

function refuse(what: string, where: string, next: string, { out }: CheckOptions): CheckExitCode {
  out(`can't check: ${what}\nWhere: ${where}\nWhat next: ${next}`);
  return 1;
}

function countOf(diagnostics: readonly Diagnostic[]): string {
  const warnings = diagnostics.filter((one) => one.severity === Diagnostic_Severity.WARNING).length;
  const counts = [counted(diagnostics.length - warnings, "error"), counted(warnings, "warning")];
  return counts.filter((text) => text !== "").join(", ");
}

function counted(count: number, word: string): string {
  if (count === 0) return "";
  return count === 1 ? `1 ${word}` : `${count} ${word}s`;
}

/** Is anything wrong that keeps the definitions from being deployed? */
export function hasError(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((one) => one.severity !== Diagnostic_Severity.WARNING);
}
