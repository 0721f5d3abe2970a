import { expect, test } from "vitest";
import { runProgram, startNode, startProgram } from "./program.ts";

test("a line that never comes is an error that shows the last lines", async () => {
  const started = startProgram({
    name: "silent",
    command: process.execPath,
    args: ["-e", "console.log('only this')"],
    readyLine: /ready/,
  });
  await expect(started).rejects.toThrow(/silent ended \(0\) without a line like \/ready\/[^]*only this/);
});

test("stopping tells how a program ended, with what it wrote last", async () => {
  await using program = await startProgram({
    name: "polite",
    command: process.execPath,
    args: [
      "-e",
      "process.on('SIGTERM', () => { console.log('bye'); process.exit(7); }); setInterval(() => {}, 1000); console.log('up')",
    ],
    readyLine: /^up$/,
  });
  expect(await program.stop()).toEqual({ code: 7, signal: undefined });
  expect(program.lines).toEqual(["up", "bye"]);
  expect(program.isRunning()).toBe(false);
});

test("a program killed the hard way says so", async () => {
  await using program = await startNode("test/support/testdata/idle.mjs", { readyLine: /idle/ });
  expect(await program.kill9()).toEqual({ code: undefined, signal: "SIGKILL" });
});

test("running a program to its end keeps stdout apart from stderr", async () => {
  const result = await runProgram({
    name: "both",
    command: process.execPath,
    args: ["-e", "console.log('a'); console.error('b')"],
  });
  expect(result.code).toBe(0);
  expect(result.stdout).toBe("a");
  expect(result.lines.toSorted()).toEqual(["a", "b"]);
});
