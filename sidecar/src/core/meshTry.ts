import { Failure_Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Failure } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { code } from "../../../proto/wire/status.ts";
import { failedEnd } from "./callEnd.ts";
import type { CallEnd } from "./callEnd.ts";

/** How one try of a call of another service went. */
export type MeshTry =
  | { readonly kind: "completed"; readonly response: Uint8Array }
  | { readonly kind: "failed"; readonly failure: Failure; readonly sent: boolean }
  /** Nobody has made the call. */
  | { readonly kind: "refused"; readonly why: string }
  /** Somebody may have made it, and said nothing. */
  | { readonly kind: "silent"; readonly why: string };

/** Whether the call may be made again: it certainly was not carried out, or carrying it out twice does no harm and the service is away. */
export function mayTryAgain(tried: MeshTry, isIdempotent: boolean): boolean {
  switch (tried.kind) {
    case "completed":
      return false;
    case "refused":
      return true;
    case "silent":
      return isIdempotent;
    case "failed": {
      const { failure, sent } = tried;
      if (failure.code !== code.UNAVAILABLE) return false;
      return isIdempotent || (failure.origin === Failure_Origin.TRANSPORT && !sent);
    }
  }
}

/** What the caller is told. UNAVAILABLE of ours says that calling again does no harm; whether the other was carried out nobody knows. */
export function meshEnd(tried: MeshTry, isIdempotent: boolean): CallEnd {
  switch (tried.kind) {
    case "completed":
      return failedEnd(code.OK, "");
    case "refused":
      return failedEnd(code.UNAVAILABLE, tried.why);
    case "silent":
      return isIdempotent ? failedEnd(code.UNAVAILABLE, tried.why) : inDoubt(tried.why);
    case "failed": {
      const { code: number, message, details, origin } = tried.failure;
      const isLost = number === code.UNAVAILABLE && origin === Failure_Origin.TRANSPORT && tried.sent;
      if (isLost && !isIdempotent) return inDoubt(message);
      return { code: number, message, details, trailers: new Map() };
    }
  }
}

function inDoubt(why: string): CallEnd {
  return failedEnd(code.UNKNOWN, `in doubt: the call may have been carried out, or not; ${why}`);
}

/** How often somebody who has a call under way is asked whether he has, in milliseconds: three times without an answer, and he is gone. */
export function askEveryMs(timeoutMs: number): number {
  return Math.min(1_000, Math.max(250, timeoutMs / 8));
}
