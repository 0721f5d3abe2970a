import type { MethodLimit as Limit } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { MethodLimit } from "../../../proto/gen/sidestep/v1/runs.ts";
import { code } from "../../../proto/wire/status.ts";
import { errorText } from "../../../runtime/src/log.ts";
import { refusalFailure } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { parseMethod } from "./methodName.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** Where the limits of methods are kept. */
export interface LimitStore {
  /** Those in force. Throws when NATS does not answer. */
  list(): Promise<readonly Limit[]>;
  /** Replaces them, unless `change` gives undefined; false: others changed them all the time. Throws when NATS does not answer. */
  change(change: (limits: readonly Limit[]) => readonly Limit[] | undefined): Promise<boolean>;
}

interface Ground {
  readonly limits: LimitStore;
}

/** The record of limits is read whole by every orchestrator and sidecar. */
const limitsMax = 1_000;
const concurrencyMax = 10_000;
const callsMax = 1_000_000;
const perMinMs = 1_000;
const perMaxMs = 86_400_000;

/** Limits the calls of a method; an earlier limit of it is replaced. */
export async function setLimit(
  given: MethodLimit | undefined,
  { limits }: Ground,
  nowMs: number,
): Promise<Answered<object>> {
  const limit = parseLimit(given, nowMs);
  if ("code" in limit) return failed(limit);
  let isFull = false;
  return changed(
    limits,
    (before) => {
      const others = before.filter(({ method }) => method !== limit.method);
      isFull = others.length >= limitsMax;
      return isFull ? undefined : [...others, limit];
    },
    () => (isFull ? limitLimit() : undefined),
  );
}

/** Lifts the limit of a method. */
export async function clearLimit(method: string, { limits }: Ground): Promise<Answered<object>> {
  let isLimited = true;
  return changed(
    limits,
    (before) => {
      isLimited = before.some((one) => one.method === method);
      return isLimited ? before.filter((one) => one.method !== method) : undefined;
    },
    () => (isLimited ? undefined : notLimited(method)),
  );
}

/** What is limited, by name. */
export async function listLimits({ limits }: Ground): Promise<Answered<{ readonly limits: MethodLimit[] }>> {
  try {
    const found = (await limits.list()).map(toPublic);
    return done({ limits: found.toSorted((a, b) => (a.method < b.method ? -1 : 1)) });
  } catch (error) {
    return failed(unavailable(errorText(error)));
  }
}

async function changed(
  limits: LimitStore,
  change: Parameters<LimitStore["change"]>[0],
  refusal: () => Failure | undefined,
): Promise<Answered<object>> {
  try {
    const isDone = await limits.change(change);
    const refused = refusal() ?? (isDone ? undefined : unavailable("others change them"));
    return refused === undefined ? done({}) : failed(refused);
  } catch (error) {
    return failed(unavailable(errorText(error)));
  }
}

function parseLimit(given: MethodLimit | undefined, nowMs: number): Limit | Failure {
  const { method = "", concurrency = 0, concurrencyPerSidecar = 0, rate } = given ?? {};
  if (parseMethod(method) === undefined) return invalidLimit("package.Service/Method was expected as its method");
  if (Math.max(concurrency, concurrencyPerSidecar) > concurrencyMax)
    return invalidLimit(`at most ${concurrencyMax} calls at a time can be set`);
  const perMs = rate?.per === undefined ? 0 : Number(rate.per.seconds) * 1_000 + rate.per.nanos / 1e6;
  if (rate !== undefined && !(rate.calls >= 1 && rate.calls <= callsMax && perMs >= perMinMs && perMs <= perMaxMs))
    return invalidLimit(`a rate is 1 to ${callsMax} calls in 1 s to 24 h`);
  if (concurrency + concurrencyPerSidecar === 0 && rate === undefined) return invalidLimit("it sets no bound");
  return {
    method,
    concurrency,
    concurrencyPerSidecar,
    rateCalls: rate?.calls ?? 0,
    ratePerMs: perMs,
    sinceMs: nowMs,
    liftedMs: 0,
  };
}

function toPublic({ method, concurrency, concurrencyPerSidecar, rateCalls, ratePerMs, sinceMs }: Limit): MethodLimit {
  const rate = rateCalls === 0 ? undefined : { calls: rateCalls, per: toSeconds(ratePerMs) };
  return { method, concurrency, concurrencyPerSidecar, rate, since: toSeconds(sinceMs) };
}

function toSeconds(ms: number): { readonly seconds: bigint; readonly nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.floor(ms - seconds * 1000) * 1_000_000 };
}

function invalidLimit(why: string): Failure {
  return { code: code.INVALID_ARGUMENT, message: `the limit is none: ${why}`, reason: "INVALID_LIMIT" };
}

function notLimited(method: string): Failure {
  return { code: code.NOT_FOUND, message: `the method ${method} has no limit`, reason: "NOT_LIMITED" };
}

function limitLimit(): Failure {
  return {
    code: code.RESOURCE_EXHAUSTED,
    message: `${limitsMax} methods are limited already`,
    reason: "LIMIT_LIMIT",
    metadata: { limit: "limits", max: String(limitsMax) },
  };
}

function unavailable(why: string): Failure {
  return refusalFailure({ kind: "unavailable", message: `the limits can't be read or changed now: ${why}` });
}
