import type { handleUnaryCall, ServerUnaryCall } from "@grpc/grpc-js";
import { thrownFailure, toServiceError } from "./failure.ts";
import type { Failure } from "./failure.ts";

/** Either the answer of an rpc or why there is none. */
export type Answered<T> =
  | { readonly kind: "answer"; readonly answer: T }
  | { readonly kind: "failure"; readonly failure: Failure };

/** A grpc-js method from a function that answers or says why not, or does neither because nobody listens any more. */
export function unary<Request, Response>(
  work: (call: ServerUnaryCall<Request, Response>) => Promise<Answered<Response> | undefined>,
): handleUnaryCall<Request, Response> {
  return (call, answer) => {
    work(call).then(
      (result) => {
        if (result?.kind === "answer") answer(null, result.answer);
        else if (result?.kind === "failure") answer(toServiceError(result.failure));
      },
      (error: unknown) => answer(toServiceError(thrownFailure(error))),
    );
  };
}

/** An answer. */
export function done<T>(answer: T): Answered<T> {
  return { kind: "answer", answer };
}

/** No answer, and why. */
export function failed(failure: Failure): Answered<never> {
  return { kind: "failure", failure };
}
