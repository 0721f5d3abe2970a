import assert from "node:assert/strict";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  ListSchedulesResponse,
  Schedule_State as State,
  ScheduleFired_Kind as Kind,
} from "../../proto/gen/sidestep/v1/schedules.ts";
import type { Schedule } from "../../proto/gen/sidestep/v1/schedules.ts";
import { exit } from "../../cli/src/failure.ts";
import { runHere } from "../../cli/src/testing.ts";
import { runFailOvers } from "../chaos/failOvers.ts";
import { startScheduleStack } from "../support/scheduleStack.ts";
import type { ScheduleStack } from "../support/scheduleStack.ts";

const cron = (trigger: string): string => `
syntax = "proto3";
package flows.v1;
import "sidestep/v1/workflow.proto";

service Flows {
  // Goes on until it is signalled or cancelled.
  rpc Long(Moment) returns (Moment) {
    option (sidestep.v1.workflow) = { step { wait { for: "10m" } } output: '{}' };
  }
  rpc Short(Moment) returns (Moment) {
    option (sidestep.v1.workflow) = { ${trigger} step { id: "at" let { value: 'input.at' } } output: '{at: at}' };
  }
  rpc Keyed(Moment) returns (Moment) {
    option (sidestep.v1.workflow) = { key: 'input.at' step { id: "at" let { value: 'input.at' } } output: '{at: at}' };
  }
}
message Moment { string at = 1; string pin = 2 [debug_redact = true]; }
`;
const each = (every: string): string =>
  `trigger { name: "each" cron { every: "${every}" } when: 'now.getSeconds() % 2 == 0' input: '{at: string(now)}' }`;
const contractSchedule = "flows.v1.Flows/Short/each";
const patience = { timeout: 20_000, interval: 50 };

let stack: ScheduleStack;
beforeAll(async () => void (stack = await startScheduleStack(cron(each("1s")))), 60_000);
afterAll(async () => stack[Symbol.asyncDispose]());

/** The command, with the stack's address. */
async function sidestep(...args: readonly string[]) {
  return runHere([...args, "--address", stack.addresses[0] ?? ""]);
}

async function ok(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await sidestep(...args);
  expect({ code, stderr: code === 0 ? "" : stderr }, args.join(" ")).toEqual({ code: 0, stderr: "" });
  return stdout;
}

async function scheduleOf(id: string): Promise<Schedule> {
  const [found] = await schedulesOf(id);
  assert(found !== undefined, `no schedule ${id}`);
  return found;
}

async function schedulesOf(id: string): Promise<readonly Schedule[]> {
  const { schedules } = ListSchedulesResponse.fromJSON(JSON.parse(await ok("schedule", "list", "-o", "json")));
  return schedules.filter(({ scheduleId }) => scheduleId === id);
}

async function create(id: string, method: string, ...args: readonly string[]): Promise<void> {
  await ok("schedule", "create", id, "--workflow", `flows.v1.Flows/${method}`, ...args);
}

/** So many nominal times of the contract's schedule have come since: a second each. */
async function secondsPass(count: number): Promise<void> {
  const times = async (): Promise<number> => {
    const { started, unwanted } = await scheduleOf(contractSchedule);
    return Number(started + unwanted);
  };
  const before = await times();
  await expect.poll(times, patience).toBeGreaterThanOrEqual(before + count);
}

test("a trigger of a contract is a schedule: its runs are those of the times that it wants, and say so", async () => {
  await secondsPass(3);
  const { started, unwanted, failed, state, trigger, fired } = await scheduleOf(contractSchedule);
  expect({ failed, state, trigger }).toEqual({ failed: 0n, state: State.ACTIVE, trigger: "each" });
  expect(Math.abs(Number(started - unwanted))).toBeLessThanOrEqual(1);
  const run = fired.find(({ kind }) => kind === Kind.STARTED);
  assert(run?.nominal !== undefined);
  const nominal = new Date(Number(run.nominal.seconds) * 1_000).toISOString();
  const shown = await ok("run", "describe", run.runId);
  expect(shown).toContain(`${contractSchedule} (for ${nominal})`);
  expect(shown).toContain(`"at": "${nominal.replace(".000Z", "Z")}"`);
});

test("what can't be a schedule is told, with what can", async () => {
  const wrong = async (...args: readonly string[]): Promise<string> => {
    const { code, stderr } = await sidestep(
      "schedule",
      "create",
      "wrong",
      "--workflow",
      "flows.v1.Flows/Short",
      ...args,
    );
    expect(code).toBeGreaterThan(0);
    return stderr;
  };
  expect(await wrong("--cron", "0 2 31 2 *")).toContain("never comes");
  expect(await wrong("--cron", "61 * * * *")).toContain("'61' is no minute");
  expect(await wrong("--cron", "0 2 * * *", "--time-zone", "Europe/Berln")).toContain("is no time zone");
  expect(await wrong("--every", "100ms")).toContain("too short");
  expect(await wrong()).toContain("nothing says when");
  expect(await wrong("--every", "1m", "-d", '{"att": "x"}')).toContain("is no flows.v1.Moment");
  expect((await sidestep("schedule", "describe", "wrong")).code).toBe(exit.notFound);
  expect(
    (await sidestep("schedule", "create", "UP", "--workflow", "flows.v1.Flows/Short", "--every", "1m")).stderr,
  ).toContain("can't be the id");
});

test("one that is made again as it is stays as it is; another one of its id is refused", async () => {
  await create("same", "Short", "--every", "1h", "-d", '{"at": "x"}');
  await create("same", "Short", "--every", "1h", "-d", '{"at": "x"}');
  expect(await ok("schedule", "describe", "same")).toContain('"at": "x"');
  const other = await sidestep("schedule", "create", "same", "--workflow", "flows.v1.Flows/Short", "--every", "2h");
  expect(other.stderr).toContain("SCHEDULE_EXISTS");
});

test("what is declared debug_redact in a request is not shown with the schedule", async () => {
  const secret = "4711-0815";
  await create("secretive", "Short", "--every", "1h", "--paused", "-d", `{"at": "x", "pin": "${secret}"}`);
  for (const output of ["table", "json", "yaml"]) {
    const told = await ok("schedule", "describe", "secretive", "-o", output);
    expect(told).not.toContain(secret);
    expect(told).not.toContain(Buffer.from(secret).toString("base64").slice(1, 9));
  }
  const [{ input } = { input: Buffer.of() }] = await schedulesOf("secretive");
  expect(Buffer.from(input).toString()).toBe("\n\u0001x");
});

test("while a run goes on, SKIP leaves starts out", async () => {
  await create("skips", "Long", "--every", "1s");
  await expect.poll(async () => Number((await scheduleOf("skips")).skipped), patience).toBeGreaterThan(1);
  expect(await scheduleOf("skips")).toMatchObject({ started: 1n, failed: 0n });
  // A run that has ended makes room for the next.
  await ok("run", "terminate", (await scheduleOf("skips")).currentRunId);
  await expect.poll(async () => (await scheduleOf("skips")).started, patience).toBe(2n);
  await ok("schedule", "delete", "skips");
});

test("BUFFER_ONE starts one that came meanwhile when the run has ended", async () => {
  await create("buffers", "Long", "--every", "1s", "--overlap", "buffer-one");
  await expect.poll(async () => Number((await scheduleOf("buffers")).skipped), patience).toBeGreaterThan(0);
  const { buffered, currentRunId } = await scheduleOf("buffers");
  await ok("run", "terminate", currentRunId);
  await expect.poll(async () => (await scheduleOf("buffers")).started, patience).toBe(2n);
  const { fired } = await scheduleOf("buffers");
  const second = fired.find(({ kind }) => kind === Kind.STARTED);
  expect(second?.nominal).toEqual(buffered);
  await ok("schedule", "delete", "buffers");
});

test("CANCEL_OTHER cancels the run, and starts the next at its end", async () => {
  await create("cancels", "Long", "--every", "1s", "--overlap", "cancel-other");
  await expect.poll(async () => Number((await scheduleOf("cancels")).started), patience).toBeGreaterThan(2);
  await ok("schedule", "pause", "cancels");
  const { fired, currentRunId } = await scheduleOf("cancels");
  const earlier = fired.filter(({ kind, runId }) => kind === Kind.STARTED && runId !== currentRunId);
  expect(earlier.length).toBeGreaterThan(1);
  for (const { runId } of earlier) expect(await ok("run", "describe", runId)).toMatch(/state +CANCELLED/);
  await ok("schedule", "delete", "cancels");
});

test("one that is paused starts nothing and makes nothing up; by hand it is started all the same", async () => {
  await create("pauses", "Short", "--every", "1s", "--reason", "a test");
  await expect.poll(async () => Number((await scheduleOf("pauses")).started), patience).toBeGreaterThan(0);
  await ok("schedule", "pause", "pauses", "--reason", "stocktaking");
  const { started, pausedAt } = await scheduleOf("pauses");
  const pausedMs = Number(pausedAt?.seconds) * 1_000 + (pausedAt?.nanos ?? 0) / 1e6;
  await secondsPass(3);
  expect(await scheduleOf("pauses")).toMatchObject({
    started,
    state: State.PAUSED,
    pauseReason: "stocktaking",
    missed: 0n,
  });
  const runId = (await ok("schedule", "trigger", "pauses")).trim();
  expect(await ok("run", "describe", runId)).toContain("pauses (for ");
  const resumedMs = Date.now();
  await ok("schedule", "resume", "pauses");
  await expect
    .poll(async () => Number((await scheduleOf("pauses")).started), patience)
    .toBeGreaterThan(Number(started) + 1);
  // The three seconds that it was paused for: only what was started by hand has one of them as its time.
  const inside = [...(await stack.startsOf("pauses"))].filter(([at]) => at > pausedMs && at < resumedMs);
  expect(inside.map(([, runs]) => runs)).toEqual([[runId]]);
  await ok("schedule", "delete", "pauses");
});

test("the same idempotency key triggers one run", async () => {
  await create("once", "Short", "--every", "1h", "--paused");
  const trigger = async (): Promise<unknown> => {
    const answer = await fetch(`http://${stack.addresses[0]}/sidestep.v1.Schedules/Trigger`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "k1" },
      body: JSON.stringify({ scheduleId: "once" }),
    });
    expect(answer.status).toBe(200);
    return answer.json();
  };
  expect(await trigger()).toEqual(await trigger());
  expect((await scheduleOf("once")).started).toBe(1n);
});

test("a backfill starts one run for each nominal time of its span, however often it is asked for", async () => {
  await create("fills", "Short", "--cron", "0 * * * *", "--time-zone", "Europe/Berlin", "--paused");
  // Over the hour that Berlin's clocks show twice.
  const span = ["--from", "2026-10-24T22:00:00Z", "--to", "2026-10-25T03:00:00Z"];
  await ok("schedule", "backfill", "fills", ...span);
  await expect.poll(async () => (await scheduleOf("fills")).started, patience).toBe(5n);
  await ok("schedule", "backfill", "fills", ...span);
  await expect.poll(async () => (await scheduleOf("fills")).joined, patience).toBe(5n);
  const starts = await stack.startsOf("fills");
  const hours = [22, 23, 24, 25, 26].map((hour) => Date.parse("2026-10-24T00:00:00Z") + hour * 3_600_000);
  expect([...starts.keys()].toSorted((a, b) => a - b)).toEqual(hours);
  expect([...starts.values()].every(({ length }) => length === 1)).toBe(true);
  // Their keys begin alike, so a filter finds them.
  const listed = ["run", "list", "--filter", 'key.startsWith("schedule/fills/")', "-o", "name"];
  await expect.poll(async () => (await ok(...listed)).trim().split("\n").length, patience).toBe(5);
  const ahead = await sidestep("schedule", "backfill", "fills", "--from", "2030-01-01", "--to", "2030-02-01");
  expect(ahead.stderr).toContain("no span of the past");
  const long = await sidestep("schedule", "backfill", "fills", "--from", "2020-01-01", "--to", "2025-01-01");
  expect(long.stderr).toContain("more than 1000 nominal times");
});

test("where the workflow's own key is the same, the run that is there is joined", async () => {
  await create("keyed", "Keyed", "--every", "1s", "--overlap", "allow", "-d", '{"at": "always"}');
  await expect.poll(async () => Number((await scheduleOf("keyed")).joined), patience).toBeGreaterThan(0);
  expect((await scheduleOf("keyed")).started).toBe(1n);
  await ok("schedule", "delete", "keyed");
  expect(await schedulesOf("keyed")).toEqual([]);
});

test("a schedule follows its contract: other times, none, and again", async () => {
  expect((await sidestep("schedule", "delete", contractSchedule)).stderr).toContain("SCHEDULE_OF_CONTRACT");
  await stack.deploy(cron(each("1h")));
  await expect.poll(async () => (await scheduleOf(contractSchedule)).cron?.every, patience).toBe("1h");
  await stack.deploy(cron(""));
  await expect.poll(async () => (await scheduleOf(contractSchedule)).state, patience).toBe(State.RETIRED);
  expect(await ok("schedule", "describe", contractSchedule)).toContain("retired: the contract has it no more");
  const before = (await scheduleOf(contractSchedule)).started;
  await stack.deploy(cron(each("1s")));
  await expect.poll(async () => (await scheduleOf(contractSchedule)).state, patience).toBe(State.ACTIVE);
  await expect.poll(async () => (await scheduleOf(contractSchedule)).started, patience).toBeGreaterThan(before);
});

test("over kills of the owner each second has exactly one run", async () => {
  const { kills, missing, doubled, runs, times } = await runFailOvers(4, () => undefined);
  expect({ kills, missing, doubled }).toEqual({ kills: 4, missing: [], doubled: [] });
  expect(runs).toBe(times);
  expect(times).toBeGreaterThan(12);
}, 120_000);
