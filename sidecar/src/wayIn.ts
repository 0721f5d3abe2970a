import type { CallEnd } from "./core/callEnd.ts";

/** A call that the service beside us makes. */
export interface IncomingCall {
  /** "package.Service/Method" */
  readonly method: string;
  readonly request: Uint8Array;
  /** Lower case; keys that end in "-bin" have raw bytes. */
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array }[];
  /** What is left of its time, in milliseconds; undefined: it has no end. */
  readonly leftMs: () => number | undefined;
}

/** Who waits for its answer. */
export interface CallAnswer {
  /** At most once, before the first message. */
  headers(headers: ReadonlyMap<string, string>): void;
  /** Resolves when the next may come. Never rejects. */
  message(bytes: Uint8Array): Promise<void>;
  /** Once; what comes after it is dropped. */
  end(end: CallEnd): void;
}

/** Nobody waits for the call any more: its caller is gone, or its time is over. Harmless when it has ended. */
export type GiveUp = (why: "gone" | "late") => void;

/** Carries a call out, until that is given up. */
export type CarryCall = (call: IncomingCall, answer: CallAnswer) => GiveUp;
