import type { Hold } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { HeldTarget, Target } from "../../../proto/gen/sidestep/v1/runs.ts";
import { code } from "../../../proto/wire/status.ts";
import { refusalFailure } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { tooLong } from "./lengths.ts";
import { isServiceName, parseMethod } from "./methodName.ts";
import type { IngressOptions } from "./starting.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** The record of holds is read whole by every orchestrator. */
const holdsMax = 1_000;

type Ground = Pick<IngressOptions, "front">;
type Named = NonNullable<Target["kind"]>;

/** Holds the calls of a target back; one that is held already stays as it is. */
export async function hold(
  target: Target | undefined,
  { reason, actor }: { readonly reason: string; readonly actor: string },
  { front }: Ground,
  nowMs: number,
): Promise<Answered<object>> {
  const named = parseTarget(target);
  if ("code" in named) return failed(named);
  const long = tooLong({ reason });
  if (long !== undefined) return failed(long);
  const held: Hold = { target: named, reason, actor, sinceMs: nowMs };
  let isFull = false;
  const changed = await front.changeHolds((holds) => {
    if (holds.some((one) => isOf(one, named))) return undefined;
    isFull = holds.length >= holdsMax;
    return isFull ? undefined : [...holds, held];
  });
  if (changed.kind === "unavailable") return failed(refusalFailure(changed));
  return isFull ? failed(holdLimit()) : done({});
}

/** Lets the calls of a target go on. */
export async function release(target: Target | undefined, { front }: Ground): Promise<Answered<object>> {
  const named = parseTarget(target);
  if ("code" in named) return failed(named);
  const changed = await front.changeHolds((holds) => {
    const left = holds.filter((one) => !isOf(one, named));
    return left.length === holds.length ? undefined : left;
  });
  switch (changed.kind) {
    case "changed":
      return done({});
    case "unchanged":
      return failed(notHeld(named));
    case "unavailable":
      return failed(refusalFailure(changed));
  }
}

/** What is held back, oldest first. */
export async function listHolds({ front }: Ground): Promise<Answered<{ readonly held: HeldTarget[] }>> {
  const got = await front.holds();
  if (got.kind === "unavailable") return failed(refusalFailure(got));
  const held = got.holds.map(({ target, reason, actor, sinceMs }): HeldTarget => {
    const seconds = Math.floor(sinceMs / 1000);
    const since = { seconds: BigInt(seconds), nanos: Math.floor(sinceMs - seconds * 1000) * 1_000_000 };
    return { target: { kind: target }, reason, actor, since };
  });
  return done({ held });
}

function parseTarget(target: Target | undefined): Named | Failure {
  const kind = target?.kind;
  switch (kind?.$case) {
    case "workflow":
    case "method":
      return parseMethod(kind.value) === undefined ? invalidTarget("package.Service/Method") : kind;
    case "service":
      return isServiceName(kind.value) ? kind : invalidTarget("package.Service");
    case undefined:
      return invalidTarget("a workflow, a method or a service");
  }
}

function isOf({ target }: Hold, named: Named): boolean {
  return target?.$case === named.$case && target.value === named.value;
}

function invalidTarget(expected: string): Failure {
  return {
    code: code.INVALID_ARGUMENT,
    message: `the target is none: ${expected} was expected`,
    reason: "INVALID_TARGET",
  };
}

function notHeld({ $case, value }: Named): Failure {
  return { code: code.NOT_FOUND, message: `the ${$case} ${value} is not held`, reason: "NOT_HELD" };
}

function holdLimit(): Failure {
  return {
    code: code.RESOURCE_EXHAUSTED,
    message: `${holdsMax} targets are held already; hold a whole service instead of its methods`,
    reason: "HOLD_LIMIT",
    metadata: { limit: "holds", max: String(holdsMax) },
  };
}
