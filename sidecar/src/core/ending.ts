/** How one local call ended, as exactly as the client lets us tell. */
export type Ending = {
  /** Address the call went to. */
  readonly peer: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
} & (
  | { readonly kind: "answered"; readonly response: Uint8Array }
  | {
      readonly kind: "failed";
      readonly code: number;
      readonly message: string;
      /** The trailer grpc-status-details-bin, unchanged; empty when there was none. */
      readonly details: Uint8Array;
      /** The trailer grpc-retry-pushback-ms. */
      readonly pushback: string | undefined;
      /** "service": the status came in a trailer of the service. */
      readonly origin: "service" | "transport";
      /** Bytes of the request may have left. */
      readonly sent: boolean;
    }
);

/** The same without what its caller knows: where, and from when to when. */
export type EndingRest = Ending extends infer E
  ? E extends Ending
    ? Omit<E, "peer" | "startedAtMs" | "endedAtMs">
    : never
  : never;

/** A call that was answered OK. */
export type Answered = Extract<Ending, { readonly kind: "answered" }>;

/** Any other call that is over. */
export type Failed = Extract<Ending, { readonly kind: "failed" }>;

/** True when the service cannot have seen the call and trying again later makes sense: it costs no attempt. */
export function wasNeverSent(ending: Ending): boolean {
  return ending.kind === "failed" && ending.origin === "transport" && !ending.sent && unsentCodes.has(ending.code);
}

/** UNAVAILABLE: refused or not resolved; DEADLINE_EXCEEDED: still connecting when the time was over. */
const unsentCodes: ReadonlySet<number> = new Set([4, 14]);
