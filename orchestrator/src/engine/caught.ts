import type { Any } from "../../../proto/gen/google/protobuf/any.ts";
import { ErrorInfo } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Error as CaughtError, status_CodeFromJSON } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Failure, Scope } from "./live.ts";
import type { CatchPlan } from "./plan.ts";

/** What a catch found in the details of a failure that it takes. */
export interface CatchMatch {
  readonly info: ErrorInfo | undefined;
  readonly detail: Any | undefined;
}

/** Is the failure one of a catch's, its condition left aside? Undefined: it is not. */
export function matchCatch(plan: CatchPlan, { status }: Failure): CatchMatch | undefined {
  if (plan.codes.size > 0 && !plan.codes.has(status.code)) return undefined;
  const info = findInfo(plan, status.details);
  if (info === undefined && (plan.reason !== "" || plan.domain !== "")) return undefined;
  const detail = status.details.find((it) =>
    plan.detailType === "" ? typeOf(it) !== errorInfo : typeOf(it) === plan.detailType,
  );
  if (detail === undefined && plan.detailType !== "") return undefined;
  return { info, detail };
}

const errorInfo = "google.rpc.ErrorInfo";

/** The first google.rpc.ErrorInfo of the wanted reason and domain: the service's, or ours. */
function findInfo({ reason, domain }: CatchPlan, details: readonly Any[]): ErrorInfo | undefined {
  for (const detail of details) {
    if (typeOf(detail) !== errorInfo) continue;
    const info = parseInfo(detail.value);
    if (info === undefined) continue;
    if ((reason === "" || info.reason === reason) && (domain === "" || info.domain === domain)) return info;
  }
  return undefined;
}

function typeOf({ typeUrl }: Any): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

/** A service may send what is no ErrorInfo under its name. */
function parseInfo(value: Uint8Array): ErrorInfo | undefined {
  try {
    return ErrorInfo.decode(value);
  } catch {
    return undefined;
  }
}

/** The variable `error`: sidestep.v1.Error. */
export function toCaughtError({ status, step }: Failure, { info, detail }: CatchMatch, inDoubt: boolean): Uint8Array {
  return CaughtError.encode({
    code: status_CodeFromJSON(status.code),
    message: status.message,
    step,
    reason: info?.reason ?? "",
    domain: info?.domain ?? "",
    metadata: info?.metadata ?? {},
    detail,
    inDoubt,
  }).finish();
}

/** The failure that was caught around a place. */
export function caughtAround(scope: Scope): Failure | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    if (at.caught !== undefined) return at.caught;
  }
  return undefined;
}
