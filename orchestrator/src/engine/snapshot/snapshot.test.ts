import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assert, integer, property, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { advance } from "../advance.ts";
import { newRun } from "../state.ts";
import type { RunState } from "../state.ts";
import { differenceOf } from "../testing/difference.ts";
import { makePlan } from "../testing/plan.ts";
import { eventAt, makeStarted, testRunId } from "../testing/records.ts";
import { throughSnapshot } from "../testing/snapshot.ts";
import { replayTranscript } from "../testing/transcript.ts";
import { decodeRun } from "./decode.ts";
import { encodeRun } from "./encode.ts";

const folder = fileURLToPath(new URL("../testdata/", import.meta.url));
const stories = readdirSync(folder).filter((name) => name.endsWith(".txt"));

test.each(stories)("%s goes on from a snapshot after each record as without one", (name) => {
  const text = readFileSync(folder + name, "utf8");
  const again = replayTranscript(text, (plan, state) => {
    const copy = throughSnapshot(plan, state);
    expect(differenceOf(copy, state)).toBeUndefined();
    return copy;
  });
  expect(again).toBe(text);
});

const plan = makePlan({ steps: [{ id: "a", action: { kind: "call", method: "x.X/A" } }] });
const started = makeStarted();

function snapshot(): Uint8Array {
  const state = newRun(testRunId);
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: started }));
  return encodeRun(state);
}

test("a snapshot of another plan is refused", () => {
  const other = makePlan({ steps: [{ id: "w", action: { kind: "wait", forMs: 5 } }] });
  expect(() => decodeRun(other, testRunId, started, snapshot())).toThrow("a snapshot is broken: the call of w");
});

test("bytes that are no snapshot are refused or read as one, and nothing else happens", () => {
  const whole = snapshot();
  const outcomeOf = (bytes: Uint8Array): unknown => {
    try {
      return decodeRun(plan, testRunId, started, bytes);
    } catch (error) {
      return error;
    }
  };
  const tryToRead = (bytes: Uint8Array): void => {
    const outcome = outcomeOf(bytes);
    expect(outcome instanceof Error || (outcome as RunState).runId === testRunId).toBe(true);
  };
  assert(property(uint8Array({ maxLength: 60 }), tryToRead));
  assert(
    property(integer({ min: 0, max: whole.length - 1 }), integer({ min: 0, max: 255 }), (at, value) => {
      const bytes = whole.slice();
      bytes[at] = value;
      tryToRead(bytes);
      tryToRead(whole.slice(0, at));
    }),
  );
});
