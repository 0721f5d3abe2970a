import { list, number, oneOf, text, time, truth } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { toStatus } from "./run.ts";
import type { Status } from "./run.ts";

/** sidestep.v1.EvaluatedExpression. */
export interface Evaluated {
  readonly name: string;
  readonly text: string;
  /** What it gave; undefined: it failed, or is not shown. */
  readonly value: Json | undefined;
  readonly error: string;
  readonly hidden: boolean;
}

const results = ["UNDER_WAY", "COMPLETED", "FAILED", "IN_DOUBT", "EXPIRED"] as const;
export type AttemptResult = (typeof results)[number];

/** sidestep.v1.StepAttempt. */
export interface Attempt {
  readonly attempt: number;
  readonly verify: boolean;
  readonly method: string;
  readonly askedAt: number | undefined;
  readonly beganAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly result: AttemptResult;
  readonly status: Status | undefined;
  readonly request: Json | undefined;
  readonly requestType: string;
  readonly requestBytes: number;
  readonly peer: string;
  readonly sidecar: string;
}

/** sidestep.v1.DescribeStepResponse. */
export interface StepDetails {
  readonly expressions: readonly Evaluated[];
  readonly attempts: readonly Attempt[];
}

/** Reads a DescribeStepResponse. */
export function toStepDetails(json: JsonObject): StepDetails {
  return { expressions: list(json, "expressions", toEvaluated), attempts: list(json, "attempts", toAttempt) };
}

function toEvaluated(json: JsonObject): Evaluated {
  return {
    name: text(json, "name"),
    text: text(json, "text"),
    value: parseValue(text(json, "json")),
    error: text(json, "error"),
    hidden: truth(json, "hidden"),
  };
}

function toAttempt(json: JsonObject): Attempt {
  return {
    attempt: number(json, "attempt"),
    verify: truth(json, "verify"),
    method: text(json, "method"),
    askedAt: time(json, "askedAt"),
    beganAt: time(json, "beganAt"),
    endedAt: time(json, "endedAt"),
    result: oneOf(json, "result", results, "UNDER_WAY"),
    status: toStatus(json["status"]),
    request: json["request"],
    requestType: text(json, "requestType"),
    requestBytes: number(json, "requestBytes"),
    peer: text(json, "peer"),
    sidecar: text(json, "sidecar"),
  };
}

function parseValue(given: string): Json | undefined {
  if (given === "") return undefined;
  const value: Json = JSON.parse(given);
  return value;
}
