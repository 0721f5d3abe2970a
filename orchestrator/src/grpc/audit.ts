import { randomBytes } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import { AuditEntry_Outcome as Outcome } from "../../../proto/gen/sidestep/v1/audit.ts";
import type { AuditEntry } from "../../../proto/gen/sidestep/v1/audit.ts";
import { roleHeader } from "../../../proto/wire/headers.ts";
import { code, codeName } from "../../../proto/wire/status.ts";
import type { AuditStore } from "../processor/auditStore.ts";
import { actorOf } from "./access.ts";
import { refusalFailure } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { lengthsMax, tooLong } from "./lengths.ts";
import { newRefusals } from "./refusals.ts";
import { isAudited } from "./roles.ts";
import { toTimestamp } from "./time.ts";
import { parseWrite, writtenTargets } from "./auditTarget.ts";

/** How a call ended. */
export type CallEnd =
  | { readonly kind: "done"; readonly answer: unknown }
  | { readonly kind: "failed"; readonly code: number; readonly reason: string; readonly message: string };

/** Keeps records of calls that change something. */
export interface Audit {
  /** Writes down that a call is made; undefined: it leaves no record. */
  begin(
    path: string,
    call: { readonly request: unknown; readonly metadata: Metadata },
    refusal: Failure | undefined,
  ): Promise<Begun> | undefined;
}

/** What was written: the way to write down how it ends, or why it may not go on. */
export type Begun =
  | { readonly kind: "begun"; readonly end: (how: CallEnd) => Promise<void> }
  | { readonly kind: "failure"; readonly failure: Failure };

/** The call waits for it. */
const beginWithinMs = 5_000;
/** The answer waits for it. */
const endWithinMs = 2_000;
const messageMax = 1_000;
const actorMax = 200;

/** Records into a store: each call before anything is done, and again with what became of it. */
export function newAudit(store: AuditStore, now: () => number): Audit {
  const refusals = newRefusals((entry) => store.put(entry, endWithinMs), now);
  return {
    begin: (path, { request, metadata }, refusal) => {
      const method = path.slice(1);
      // Who has no token is nobody whose deeds could be told apart.
      if (!isAudited(method) || refusal?.reason === "NO_TOKEN" || refusal?.reason === "UNKNOWN_TOKEN") return undefined;
      const { target, reason, isDry } = parseWrite(request);
      if (isDry) return undefined;
      const [role] = metadata.get(roleHeader);
      const entry: AuditEntry = {
        id: randomBytes(16).toString("hex"),
        at: toTimestamp(now()),
        actor: actorOf(metadata).slice(0, actorMax),
        role: typeof role === "string" ? role : "",
        method,
        target,
        reason: reason.slice(0, lengthsMax.reason),
        outcome: Outcome.OUTCOME_UNSPECIFIED,
        code: "",
        errorReason: "",
        message: "",
        times: 0,
        lastAt: undefined,
      };
      if (refusal === undefined) return begin(entry, reason, store);
      const refused = { ...withFailure(entry, refusal), outcome: Outcome.REFUSED };
      return refusals.note(refused).then(() => ({ kind: "failure", failure: refusal }));
    },
  };
}

async function begin(entry: AuditEntry, reason: string, store: AuditStore): Promise<Begun> {
  const long = tooLong({ reason });
  if (long !== undefined) return { kind: "failure", failure: long };
  if (!(await store.put(entry, beginWithinMs))) return { kind: "failure", failure: unwritten };
  return {
    kind: "begun",
    end: async (how) => {
      const ended =
        how.kind === "done"
          ? { ...entry, outcome: Outcome.DONE, target: entry.target || writtenTargets(how.answer) }
          : {
              ...withFailure(entry, how),
              outcome: how.code === code.PERMISSION_DENIED ? Outcome.REFUSED : Outcome.FAILED,
            };
      await store.put(ended, endWithinMs);
    },
  };
}

function withFailure(entry: AuditEntry, failure: Pick<Failure, "code" | "reason" | "message">): AuditEntry {
  const { reason, message } = failure;
  return { ...entry, code: codeName(failure.code), errorReason: reason, message: message.slice(0, messageMax) };
}

const unwritten: Failure = refusalFailure({
  kind: "unavailable",
  message: "the audit can't be written now, so nothing was done",
});
