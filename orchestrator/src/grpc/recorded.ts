import type {
  handleServerStreamingCall,
  handleUnaryCall,
  sendUnaryData,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceError,
} from "@grpc/grpc-js";
import { code } from "../../../proto/wire/status.ts";
import type { Begun, CallEnd } from "./audit.ts";
import { reasonOf, toServiceError } from "./failure.ts";

/** Carries a call out once its entry is durable, and answers once that says how it ended. Never rejects. */
export async function answerRecorded<Request, Response>(
  begun: Promise<Begun>,
  open: handleUnaryCall<Request, Response>,
  call: ServerUnaryCall<Request, Response>,
  answer: sendUnaryData<Response>,
): Promise<void> {
  const entry = await begun;
  if (entry.kind === "failure") return answer(toServiceError(entry.failure));
  open(call, (error, value, trailer, flags) => {
    const end: CallEnd = error === null ? { kind: "done", answer: value } : failedBy(error);
    void entry.end(end).then(() => answer(error, value, trailer, flags));
  });
}

/** The same of a stream; it goes while it is told how it ended. Never rejects. */
export async function streamRecorded<Request, Response>(
  begun: Promise<Begun>,
  open: handleServerStreamingCall<Request, Response>,
  call: ServerWritableStream<Request, Response>,
): Promise<void> {
  const entry = await begun;
  if (entry.kind === "failure") return void call.emit("error", toServiceError(entry.failure));
  let isOver = false;
  const end = (how: CallEnd): void => {
    if (!isOver) void entry.end(how);
    isOver = true;
  };
  call.once("error", (error) => end(failedBy(error)));
  call.once("finish", () => end({ kind: "done", answer: undefined }));
  call.once("cancelled", () => end(left));
  open(call);
}

const left: CallEnd = { kind: "failed", code: code.CANCELLED, reason: "", message: "its caller left" };

function failedBy(error: Partial<ServiceError>): CallEnd {
  return {
    kind: "failed",
    code: error.code ?? code.UNKNOWN,
    reason: reasonOf(error),
    message: error.details ?? error.message ?? "",
  };
}
