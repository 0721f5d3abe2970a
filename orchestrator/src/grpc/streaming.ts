import { Metadata } from "@grpc/grpc-js";
import type { ServerWritableStream } from "@grpc/grpc-js";
import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { fromHeader, nextHeader, runIdHeader } from "../../../proto/wire/headers.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { runNotFound, toServiceError } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { toAnswer } from "./runEnd.ts";
import type { IngressOptions } from "./starting.ts";

/** A call that is answered with a stream. */
type Call<Request, Message> = ServerWritableStream<Request, Message>;

/** What is written ahead of a caller that does not read; gRPC's own windows come on top. */
const aheadBytesMax = 256 * 1024;

/** How a stream of a run's messages goes on. */
export interface Following<Message> {
  readonly runId: RunId;
  /** Number of the first message that is wanted. */
  readonly from: number;
  readonly toMessage: (number: number, bytes: Uint8Array) => Message;
}

/**
 * Writes what a streaming run yields from a number on, as fast as the caller takes it, until the run has ended; ends as the run did. The
 * header sidestep-from says the first message's number, the trailer sidestep-next the number of the one that would come next.
 */
export async function follow<Request, Message>(
  call: Call<Request, Message>,
  { runId, from, toMessage }: Following<Message>,
  { front, closing }: Pick<IngressOptions, "front" | "closing">,
): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  call.on("cancelled", leave);
  const forget = closing.onClose(leave);
  const write = newWriter(call, gone.signal);
  let next = from;
  try {
    call.sendMetadata(headers({ [runIdHeader]: runId, [fromHeader]: String(from) }));
    while (!gone.signal.aborted) {
      const got = await front.follow(runId, next, gone.signal);
      switch (got.kind) {
        case "yields":
          if (got.first !== next) return finish(call, next, yieldsGone(runId, next, got.first));
          for (const bytes of got.messages) {
            await write(toMessage(next, bytes), bytes.length);
            if (gone.signal.aborted) break;
            next++;
          }
          break;
        case "ended":
          return finish(call, next, endOf(runId, got.ended));
        case "unknown":
          return finish(call, next, runNotFound(runId));
        case "aborted":
          break;
      }
    }
    if (!call.cancelled) finish(call, next, closingFailure(runId, next));
  } finally {
    call.off("cancelled", leave);
    forget();
  }
}

/** The number that a sidestep-from header asks for; undefined: it is none. */
export function parseFrom(text: string | undefined): number | undefined {
  if (text === undefined) return 0;
  const number = /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  return number !== undefined && Number.isSafeInteger(number) ? number : undefined;
}

/** What is told of an offset that is none. */
export function invalidOffset(text: string): Failure {
  return {
    code: code.INVALID_ARGUMENT,
    message: `${JSON.stringify(text.slice(0, 100))} is no number of a message: they count from 0`,
    reason: "INVALID_OFFSET",
  };
}

/** Ends a stream: OK without failure. */
function finish<Request, Message>(call: Call<Request, Message>, next: number, failure: Failure | undefined): void {
  if (failure === undefined) {
    call.end(headers({ [nextHeader]: String(next) }));
    return;
  }
  const error = toServiceError(failure);
  error.metadata?.set(nextHeader, String(next));
  call.emit("error", error);
}

/** Writes messages; resolves when the next may follow: at once while little is ahead of the caller, else once it has taken all. */
export function newWriter<Request, Message>(
  call: Call<Request, Message>,
  signal: AbortSignal,
): (message: Message, sizeBytes: number) => Promise<void> {
  let aheadBytes = 0;
  return (message, sizeBytes) =>
    new Promise((resolve) => {
      aheadBytes += sizeBytes;
      const onAbort = (): void => resolve();
      const takesMore = call.write(message, () => {
        aheadBytes -= sizeBytes;
        signal.removeEventListener("abort", onAbort);
        resolve();
      });
      if (signal.aborted || (takesMore && aheadBytes < aheadBytesMax)) resolve();
      else signal.addEventListener("abort", onAbort, { once: true });
    });
}

function endOf(runId: RunId, ended: RunEnded): Failure | undefined {
  const end = toAnswer(runId, ended);
  return end.kind === "failure" ? end.failure : undefined;
}

/** What is told of messages that are not kept any more. */
export function yieldsGone(runId: RunId, wanted: number, first: number): Failure {
  return {
    code: code.OUT_OF_RANGE,
    message: `message ${wanted} of the run ${runId} is not kept any more (--yields-max, --yields-bytes-max); the oldest is ${first}`,
    reason: "YIELDS_GONE",
    metadata: { run_id: runId, first: String(first) },
  };
}

function closingFailure(runId: RunId, next: number): Failure {
  return {
    code: code.UNAVAILABLE,
    message: `this orchestrator shuts down; the run ${runId} goes on: call again from message ${next}`,
    reason: "SHUTTING_DOWN",
    metadata: { run_id: runId, next: String(next) },
  };
}

function headers(values: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(values)) metadata.set(name, value);
  return metadata;
}
