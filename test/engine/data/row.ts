import type { JsonValue } from "@bufbuild/protobuf";

/** One kind of data: what a service answers, and what an expression makes of it. */
export interface DataRow {
  readonly kind: string;
  /** Name in data.v1 of what is answered. */
  readonly message: string;
  /** The answer, `one` in the expressions. */
  readonly wire: Uint8Array;
  /** Must be true of it. */
  readonly reads: string;
  /** Makes a message of the same type, or of `into`. */
  readonly builds: string;
  readonly into?: string;
  /** What is built, in JSON, as a reader of that type sees it; left out where JSON can't tell, then `bytes` does. */
  readonly yields?: JsonValue;
  /** The same in bytes where JSON does not tell all of it. */
  readonly bytes?: Uint8Array;
  /** What can't be built of it, and what the step that tries it fails with. */
  readonly refuses?: readonly (readonly [builds: string, says: string])[];
  /** What to know of it, for the page. */
  readonly note?: string;
}
