import { readFile } from "node:fs/promises";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import type { Diagnostic } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import { buildImage } from "./buildImage.ts";
import type { ProtoSources } from "./buildImage.ts";
import { CliFailure, exit } from "./failure.ts";

/** Definitions that were built and compiled; `image` is undefined when they could not even be built. */
export interface Source {
  readonly image: Uint8Array | undefined;
  readonly sources: ProtoSources | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Builds the .proto files of a folder, or takes a file with a google.protobuf.FileDescriptorSet, and compiles. Throws CliFailure. */
export async function readSource(folder: string, descriptorSet: string | undefined): Promise<Source> {
  if (descriptorSet !== undefined) {
    const image = await readFile(descriptorSet).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      const next = "make one with `buf build --as-file-descriptor-set -o image.binpb`";
      throw new CliFailure(exit.error, `the descriptor set can't be read: ${reason}`, descriptorSet, next, error);
    });
    return compiled(new Uint8Array(image), undefined);
  }
  const built = await buildImage(folder);
  switch (built.kind) {
    case "built":
      return compiled(built.image, built.sources);
    case "wrong":
      return { image: undefined, sources: built.sources, diagnostics: built.diagnostics };
    case "failed":
      throw new CliFailure(exit.error, built.what, built.where, built.next);
  }
}

function compiled(image: Uint8Array, sources: ProtoSources | undefined): Source {
  const { diagnostics } = compileImage(image, sources === undefined ? {} : { sources: sources.compiled });
  return { image, sources, diagnostics: sources === undefined ? diagnostics : diagnostics.map(sources.place) };
}
