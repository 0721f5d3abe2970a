import { expect, test } from "vitest";
import { failedEnd } from "./core/callEnd.ts";
import { toldCalls } from "./toldCalls.ts";
import type { CallAnswer, GiveUp } from "./wayIn.ts";

const call = { method: "a.B/Call", request: new Uint8Array(), headers: [], leftMs: () => undefined };

test.each<readonly [string, (answer: CallAnswer, giveUp: GiveUp) => void, number]>([
  ["that is answered", (answer) => answer.end(failedEnd(5, "")), 5],
  ["whose caller is gone", (_, giveUp) => giveUp("gone"), 1],
  ["whose time was over, also when its stream closes after that", (_, giveUp) => [giveUp("late"), giveUp("gone")], 4],
  ["whose answer is closed", (answer, giveUp) => [answer.end(failedEnd(0, "")), giveUp("gone")], 0],
])("the end of a call %s is told once", (_, end, number) => {
  const told: unknown[] = [];
  const answers: CallAnswer[] = [];
  let nowMs = 1_000;
  const carry = toldCalls(
    (_call, answer) => {
      answers.push(answer);
      return () => undefined;
    },
    (...about) => void told.push(about),
    () => nowMs,
  );
  const giveUp = carry(call, { headers: () => undefined, message: () => Promise.resolve(), end: () => undefined });
  nowMs += 7;
  for (const answer of answers) end(answer, giveUp);
  expect(told).toEqual([["a.B/Call", number, 7]]);
});
