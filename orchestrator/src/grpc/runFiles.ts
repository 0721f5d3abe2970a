import type { ServerWritableStream } from "@grpc/grpc-js";
import type { ExportRunRequest, ExportRunResponse, ImportRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Unavailable, Unknown } from "../processor/front.ts";
import { absenceFailure, refusalFailure, thrownFailure, toServiceError } from "./failure.ts";
import { indexOff } from "./listing.ts";
import { notEnded } from "./runFailure.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** Runs as text. */
export interface RunFiles {
  /** All that the log has of a run, a line for each record. */
  exportRun(
    runId: RunId,
  ): Promise<{ readonly kind: "lines"; readonly lines: readonly string[] } | Unknown | Unavailable>;
  /** Puts one that has ended into the archive. */
  importRun(
    text: string,
  ): Promise<
    | { readonly kind: "imported" | "exists" | "live"; readonly runId: RunId }
    | { readonly kind: "wrong"; readonly message: string }
    | { readonly kind: "indexOff" }
    | Unavailable
  >;
}

/** Of the pieces that a text is sent in. */
const pieceLength = 64 * 1024;

/** Writes a run's text in pieces. */
export async function exportRun(
  call: ServerWritableStream<ExportRunRequest, ExportRunResponse>,
  runId: RunId,
  files: RunFiles,
): Promise<void> {
  try {
    const found = await files.exportRun(runId);
    if (found.kind !== "lines") return void call.emit("error", toServiceError(absenceFailure(runId, found)));
    let piece = "";
    for (const line of found.lines) {
      piece += `${line}\n`;
      if (piece.length < pieceLength) continue;
      await written(call, piece);
      piece = "";
    }
    if (piece !== "") await written(call, piece);
    call.end();
  } catch (error) {
    call.emit("error", toServiceError(thrownFailure(error)));
  }
}

/** Waits where the caller reads more slowly than it is written. */
async function written(call: ServerWritableStream<ExportRunRequest, ExportRunResponse>, text: string): Promise<void> {
  if (call.write({ text }) || call.cancelled) return;
  await new Promise<void>((resolve) => {
    call.once("drain", resolve);
    call.once("cancelled", resolve);
  });
}

/** Puts an exported run into the archive. */
export async function importRun(text: string, files: RunFiles): Promise<Answered<ImportRunResponse>> {
  const result = await files.importRun(text);
  switch (result.kind) {
    case "imported":
      return done({ runId: result.runId });
    case "exists":
      return failed({
        code: code.ALREADY_EXISTS,
        message: `the run ${result.runId} is there already`,
        reason: "RUN_EXISTS",
        metadata: { run_id: result.runId },
      });
    case "live":
      return failed(notEnded(result.runId));
    case "wrong":
      return failed({
        code: code.INVALID_ARGUMENT,
        message: `it is no exported run: ${result.message}`,
        reason: "INVALID_EXPORT",
      });
    case "indexOff":
      return failed(indexOff);
    case "unavailable":
      return failed(refusalFailure(result));
  }
}
