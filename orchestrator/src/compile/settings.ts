import { showDuration } from "../engine/duration.ts";
import type { Retry as PlannedRetry } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Call_OnDoubt, Call_OnExhausted } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { OnDoubt_Policy, OnExhausted_Policy } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Retry } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { codeName } from "../../../proto/wire/status.ts";
import { parseDuration } from "./duration.ts";
import type { Findings } from "./findings.ts";
import type { CompileLimits } from "./limits.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

/** What a call does about time, failure and doubt. */
export interface Settings {
  readonly retry: PlannedRetry;
  readonly timeoutMs: number;
  readonly queueNoticeMs: number;
  readonly onDoubt: Call_OnDoubt;
  /** Somebody has said it. */
  readonly isOnDoubtSet: boolean;
  readonly onExhausted: Call_OnExhausted;
}

/** The fields by which a definition sets them; a Defaults or a Call. */
export interface SettingsFields {
  readonly retry: Retry | undefined;
  readonly timeout: string;
  readonly queueNotice: string;
  readonly onDoubt: OnDoubt_Policy;
  readonly onExhausted: OnExhausted_Policy;
}

/** What holds where a definition says nothing. */
export const builtInSettings: Settings = {
  retry: { attemptsMax: 8, backoffMs: 500, backoffMaxMs: 60_000, multiplier: 2, on: [] },
  timeoutMs: 30_000,
  queueNoticeMs: 300_000,
  onDoubt: Call_OnDoubt.RETRY,
  isOnDoubtSet: false,
  onExhausted: Call_OnExhausted.ON_EXHAUSTED_PAUSE,
};

/** `outer` with whatever `fields` set, field by field; what is wrong keeps its outer value and becomes a finding. */
export function mergeSettings(
  outer: Settings,
  fields: SettingsFields,
  place: Place,
  findings: Findings,
  limits: CompileLimits,
): Settings {
  return {
    retry: mergeRetry(outer.retry, fields.retry, fieldOf(place, "retry"), findings, limits),
    timeoutMs: durationOr(outer.timeoutMs, fields.timeout, fieldOf(place, "timeout"), findings, limits),
    queueNoticeMs: durationOr(
      outer.queueNoticeMs,
      fields.queueNotice,
      fieldOf(place, "queue_notice"),
      findings,
      limits,
    ),
    onDoubt: mergeOnDoubt(outer.onDoubt, fields.onDoubt, fieldOf(place, "on_doubt"), findings),
    isOnDoubtSet: outer.isOnDoubtSet || fields.onDoubt !== OnDoubt_Policy.POLICY_UNSPECIFIED,
    onExhausted: mergeOnExhausted(outer.onExhausted, fields.onExhausted, fieldOf(place, "on_exhausted"), findings),
  };
}

/** A duration field in milliseconds; `outer` when it is empty or, with a finding, wrong. */
export function durationOr<T extends number | undefined>(
  outer: T,
  text: string,
  place: Place,
  findings: Findings,
  limits: CompileLimits,
): T | number {
  if (text === "") return outer;
  const parsed = parseDuration(text, limits.durationMaxMs);
  if (parsed.kind === "ok") return parsed.ms;
  findings.add("DURATION", place, parsed.message, parsed.hint);
  return outer;
}

function mergeRetry(
  outer: PlannedRetry,
  retry: Retry | undefined,
  place: Place,
  findings: Findings,
  limits: CompileLimits,
): PlannedRetry {
  if (retry === undefined) return outer;
  if (retry.maxAttempts > limits.attemptsMax) {
    findings.add(
      "RETRY",
      fieldOf(place, "max_attempts"),
      `max_attempts is ${retry.maxAttempts}, the limit is ${limits.attemptsMax}`,
      "leave a call that goes on failing to `on_exhausted: PAUSE`",
    );
  }
  if (retry.multiplier !== 0 && !(retry.multiplier >= 1 && retry.multiplier <= 100)) {
    findings.add(
      "RETRY",
      fieldOf(place, "multiplier"),
      `multiplier is ${retry.multiplier}, it must be from 1 to 100`,
      "1 keeps the pause between attempts as it is, 2 doubles it each time",
    );
  }
  const merged = {
    attemptsMax: retry.maxAttempts === 0 ? outer.attemptsMax : retry.maxAttempts,
    backoffMs: durationOr(outer.backoffMs, retry.backoff, fieldOf(place, "backoff"), findings, limits),
    backoffMaxMs: durationOr(outer.backoffMaxMs, retry.maxBackoff, fieldOf(place, "max_backoff"), findings, limits),
    multiplier: retry.multiplier === 0 ? outer.multiplier : retry.multiplier,
    on: retry.on.length === 0 ? outer.on : retryCodes(retry.on, place, findings),
  };
  if (merged.backoffMs > merged.backoffMaxMs) {
    const setHere = retry.backoff === "" ? "max_backoff" : "backoff";
    findings.add(
      "RETRY",
      fieldOf(place, setHere),
      `backoff (${showDuration(merged.backoffMs)}) is longer than max_backoff (${showDuration(merged.backoffMaxMs)})`,
      retry.backoff === "" ? "set backoff too" : "set max_backoff too",
    );
  }
  return merged;
}

function retryCodes(on: readonly number[], place: Place, findings: Findings): readonly number[] {
  const seen = new Set<number>();
  for (const [index, code] of on.entries()) {
    const at = elementOf(place, "on", index);
    if (code < 0 || code > 16) {
      findings.add(
        "STATUS_CODE",
        at,
        `${code} is not a status code`,
        "codes go from 1 (CANCELLED) to 16 (UNAUTHENTICATED)",
      );
    } else if (code === 0) {
      findings.add("STATUS_CODE", at, "OK is not a failure, it can't be tried again", "name the codes that are");
    } else if (seen.has(code)) {
      findings.add("STATUS_CODE", at, `${codeName(code)} stands here twice`, "leave one out");
    }
    seen.add(code);
  }
  return [...seen].toSorted((a, b) => a - b);
}

function mergeOnDoubt(outer: Call_OnDoubt, policy: OnDoubt_Policy, place: Place, findings: Findings): Call_OnDoubt {
  switch (policy) {
    case OnDoubt_Policy.POLICY_UNSPECIFIED:
      return outer;
    case OnDoubt_Policy.RETRY:
      return Call_OnDoubt.RETRY;
    case OnDoubt_Policy.PAUSE:
      return Call_OnDoubt.PAUSE;
    case OnDoubt_Policy.FAIL:
      return Call_OnDoubt.FAIL;
    case OnDoubt_Policy.VERIFY:
      return Call_OnDoubt.VERIFY;
    case OnDoubt_Policy.UNRECOGNIZED:
      break;
  }
  findings.add(
    "SCHEMA",
    place,
    `${policy} is not a policy known to this version of Sidestep`,
    "use RETRY, VERIFY, PAUSE or FAIL",
  );
  return outer;
}

function mergeOnExhausted(
  outer: Call_OnExhausted,
  policy: OnExhausted_Policy,
  place: Place,
  findings: Findings,
): Call_OnExhausted {
  switch (policy) {
    case OnExhausted_Policy.POLICY_UNSPECIFIED:
      return outer;
    case OnExhausted_Policy.PAUSE:
      return Call_OnExhausted.ON_EXHAUSTED_PAUSE;
    case OnExhausted_Policy.FAIL:
      return Call_OnExhausted.ON_EXHAUSTED_FAIL;
    case OnExhausted_Policy.UNRECOGNIZED:
      break;
  }
  findings.add("SCHEMA", place, `${policy} is not a policy known to this version of Sidestep`, "use PAUSE or FAIL");
  return outer;
}
