import { Failure_Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Failure } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { code } from "../../../proto/wire/status.ts";

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
