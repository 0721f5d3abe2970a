import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { silentLog } from "./log.ts";
import { atMost, shutdownSignal } from "./shutdown.ts";

function makeProgram() {
  const exits: number[] = [];
  return Object.assign(new EventEmitter(), { exits, exit: (code: number) => void exits.push(code) });
}

test("the first signal asks for an end, the second one ends it", () => {
  const program = makeProgram();
  const signal = shutdownSignal(program, silentLog, 60_000);
  program.emit("SIGTERM");
  expect([signal.aborted, program.exits]).toEqual([true, []]);
  program.emit("SIGINT");
  expect(program.exits).toEqual([1]);
});

test("a shutdown that takes too long is ended", async () => {
  const program = makeProgram();
  const ended = new Promise<number>((resolve) => Object.assign(program, { exit: resolve }));
  const alive = setInterval(() => undefined, 1_000);
  shutdownSignal(program, silentLog, 5);
  program.emit("SIGTERM");
  expect(await ended).toBe(1);
  clearInterval(alive);
});

test("waiting at most so long tells whether the work was done", async () => {
  expect(await atMost(60_000, Promise.resolve())).toBe(true);
  expect(await atMost(1, new Promise(() => undefined))).toBe(false);
});
