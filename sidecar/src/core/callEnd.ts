/** How a call ended that the service made. */
export interface CallEnd {
  /** Number of google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  /** google.rpc.Status; empty: none. */
  readonly details: Uint8Array;
  readonly trailers: ReadonlyMap<string, string>;
}

/** An end that says why a call failed. */
export function failedEnd(code: number, message: string): CallEnd {
  return { code, message, details: new Uint8Array(), trailers: new Map() };
}
