import { expect, test } from "vitest";
import { Failure_Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { code } from "../../../proto/wire/status.ts";
import { mayTryAgain, meshEnd } from "./meshTry.ts";
import type { MeshTry } from "./meshTry.ts";

const failed = (number: number, origin: Failure_Origin, sent: boolean): MeshTry => ({
  kind: "failed",
  failure: { code: number, message: "", details: new Uint8Array(), origin },
  sent,
});

/** Whether a call may be made again, of a method that may not be called twice and of one that may. */
const table: readonly (readonly [string, MeshTry, boolean, boolean])[] = [
  ["answered", { kind: "completed", response: new Uint8Array() }, false, false],
  ["nobody made it", { kind: "refused", why: "" }, true, true],
  ["no answer", { kind: "silent", why: "" }, false, true],
  ["never sent", failed(code.UNAVAILABLE, Failure_Origin.TRANSPORT, false), true, true],
  ["lost on the way", failed(code.UNAVAILABLE, Failure_Origin.TRANSPORT, true), false, true],
  ["the service is away, it says", failed(code.UNAVAILABLE, Failure_Origin.SERVICE, true), false, true],
  ["the service says no", failed(code.FAILED_PRECONDITION, Failure_Origin.SERVICE, true), false, false],
  ["too late", failed(code.DEADLINE_EXCEEDED, Failure_Origin.TRANSPORT, true), false, false],
  ["no such method", failed(code.UNIMPLEMENTED, Failure_Origin.SIDECAR, false), false, false],
];

test.each(table)("%s", (_, tried, once, twice) => {
  expect(mayTryAgain(tried, false)).toBe(once);
  expect(mayTryAgain(tried, true)).toBe(twice);
});

const ends: readonly (readonly [string, MeshTry, number, number])[] = [
  ["nobody made it", { kind: "refused", why: "" }, code.UNAVAILABLE, code.UNAVAILABLE],
  ["no answer", { kind: "silent", why: "" }, code.UNKNOWN, code.UNAVAILABLE],
  ["never sent", failed(code.UNAVAILABLE, Failure_Origin.TRANSPORT, false), code.UNAVAILABLE, code.UNAVAILABLE],
  ["its service died", failed(code.UNAVAILABLE, Failure_Origin.TRANSPORT, true), code.UNKNOWN, code.UNAVAILABLE],
  ["its service says so", failed(code.UNAVAILABLE, Failure_Origin.SERVICE, true), code.UNAVAILABLE, code.UNAVAILABLE],
  ["too late", failed(code.DEADLINE_EXCEEDED, Failure_Origin.TRANSPORT, true), 4, 4],
];

test.each(ends)("%s: in doubt where it may not be made twice", (_, tried, once, twice) => {
  expect(meshEnd(tried, false).code).toBe(once);
  expect(meshEnd(tried, true).code).toBe(twice);
  expect(meshEnd(tried, false).message.startsWith("in doubt: ")).toBe(once === code.UNKNOWN);
});
