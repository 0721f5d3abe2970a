/** Which of a step's calls: the step's own, the one that undoes it, or the one that asks whether it was carried out. */
export type CallPurpose = "forward" | "undo" | "verify";

/** A call as the service gets it. */
export interface ServiceCall {
  /** "package.Service/Method" */
  readonly method: string;
  readonly request: Uint8Array;
  readonly runId: string;
  /** Path of the step: "labels[3]/label". */
  readonly step: string;
  readonly purpose: CallPurpose;
  /** Counts from 1. */
  readonly attempt: number;
  /** Equal for all attempts of one logical call. */
  readonly idempotencyKey: string;
  /** The step's own headers. Of a secret, its name in brackets. */
  readonly headers: Readonly<Record<string, string>>;
  /** Deadline from now on, in milliseconds. */
  readonly timeoutMs: number;
  /** It returns a stream of messages. */
  readonly isStream: boolean;
  /** Virtual time, in milliseconds since 1970. */
  readonly atMs: number;
}

/** How a call goes. What takes longer than the call's deadline is not heard of. */
export type CallEnd = {
  /** From the call on. */
  readonly delayMs: number;
  /** A process of Sidestep's that dies while the call is under way. */
  readonly dies?: "sidecar" | "orchestrator" | undefined;
} & (
  | { readonly kind: "answered"; readonly messages: readonly Uint8Array[] }
  | {
      readonly kind: "failed";
      /** Number of google.rpc.Code. */
      readonly code: number;
      readonly message: string;
      /** An encoded google.rpc.Status; empty: none. */
      readonly details: Uint8Array;
      /** Who raised the code: the service, or the connection to it. */
      readonly origin: "service" | "transport";
      /** Bytes of the request may have left. */
      readonly sent: boolean;
    }
  /** Until its deadline. */
  | { readonly kind: "hangs" }
);

/** A service in the world: what becomes of a call. A promise holds the time up until it is settled. */
export type AnswerCall = (call: ServiceCall) => CallEnd | Promise<CallEnd>;

/** The call is carried out, and the connection breaks before its answer. */
export function lostEnd(delayMs = 0): CallEnd {
  return failedEnd(14, "the connection was lost before the answer", { origin: "transport", delayMs });
}

/** A call that fails. */
export function failedEnd(
  code: number,
  message: string,
  more: {
    readonly details?: Uint8Array;
    readonly origin?: "service" | "transport";
    readonly sent?: boolean;
    readonly delayMs?: number;
  } = {},
): CallEnd {
  const { details = new Uint8Array(), origin = "service", sent = true, delayMs = 0 } = more;
  return { kind: "failed", code, message, details, origin, sent, delayMs };
}
