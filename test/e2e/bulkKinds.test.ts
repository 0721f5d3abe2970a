import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runHere } from "../../cli/src/testing.ts";
import { StartRunRequest } from "../../proto/gen/sidestep/v1/runs.ts";
import { startEchoStack } from "../support/echoStack.ts";
import type { EchoStack } from "../support/echoStack.ts";
import { repositoryRoot } from "../support/program.ts";

const contract = `
syntax = "proto3";
package flows.v1;
import "echo/v1/echo.proto";
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Stops(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step {
        id: "said"
        call { method: "echo.v1.Echo/Say" request: '{text: "as it was", code: 14}' retry { max_attempts: 1 } on_doubt: RETRY }
      }
    };
  }
  rpc Waits(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "go" signal { name: "go" type: "echo.v1.SayRequest" } }
      step { id: "said" call { method: "echo.v1.Echo/Say" request: '{text: go.text}' on_doubt: RETRY } }
    };
  }
  rpc Approved(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = { step { id: "may" approve { title: '"may it?"' approvers: '["ann"]' type: "echo.v1.SayRequest" } } output: '{text: may.text}' };
  }
  rpc Rejected(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = { step { id: "may" approve { title: '"may it?"' } } output: '{}' };
  }
  rpc Ends(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "first" let { value: '1' } }
      step { id: "said" call { method: "echo.v1.Echo/Say" request: '{text: "again"}' on_doubt: RETRY } }
    };
  }
}
`;

const runs = 6;
const patience = { timeout: 30_000, interval: 50 };
let stack: EchoStack;

beforeAll(async () => {
  stack = await startEchoStack(contract);
  vi.stubEnv("SIDESTEP_ADDRESS", stack.address);
});
afterAll(() => stack?.[Symbol.asyncDispose]());

const sidestep = (...args: readonly string[]) => runHere(args, { XDG_CONFIG_HOME: "/nowhere" });
const countOf = async (rpc: string): Promise<string> =>
  (await sidestep("run", "count", "--workflow", `flows.v1.Flows/${rpc}`)).stdout.replaceAll(/\s+/g, " ");
const saidOf = (text: string): number =>
  stack.echo.lines.filter((line) => line.startsWith(`begin {"text":"${text}"`)).length;

/** What is given to many runs, by what it is given with, and how those runs stand before and after. */
const givings = [
  {
    rpc: "Stops",
    before: "paused",
    after: `completed ${runs}`,
    give: [
      "run",
      "patch",
      "-d",
      '{"text": "patched"}',
      "--proto",
      path.join(repositoryRoot, "sidecar/testdata/echo/proto"),
    ],
  },
  {
    rpc: "Waits",
    before: "running",
    after: `completed ${runs}`,
    give: ["run", "signal", "--name", "go", "-d", '{"text": "signalled"}'],
  },
  {
    rpc: "Approved",
    before: "running",
    after: `completed ${runs}`,
    give: ["approval", "decide", "--approve", "--by", "ann", "-d", '{"text": "granted"}'],
  },
  { rpc: "Rejected", before: "running", after: `failed ${runs}`, give: ["approval", "decide", "--reject"] },
  { rpc: "Ends", before: "completed", after: `completed ${2 * runs}`, give: ["run", "rerun", "--step", "said"] },
] as const;

test("what is given to many runs comes to each of them once, though the orchestrator is killed in the midst of it", async () => {
  const starts = givings.flatMap(({ rpc }) =>
    Array.from({ length: runs }, () => StartRunRequest.fromPartial({ workflow: `flows.v1.Flows/${rpc}` })),
  );
  const started = await Promise.all(
    starts.map((start) => stack.call("sidestep.v1.Runs/Start", StartRunRequest.encode(start).finish())),
  );
  expect(started.filter(({ kind }) => kind === "error")).toEqual([]);
  for (const { rpc, before } of givings)
    await expect.poll(() => countOf(rpc), patience).toContain(`${before} ${runs} `);
  const dones = async (): Promise<readonly number[]> => {
    const { bulks } = JSON.parse((await sidestep("bulk", "list", "-o", "json")).stdout);
    return (bulks ?? []).map(({ done }: { done?: string }) => Number(done ?? 0));
  };
  const given: ReturnType<typeof sidestep>[] = [];
  for (const { rpc, before, give } of givings) {
    const filter = `workflow == "flows.v1.Flows/${rpc}" && state == ${before.toUpperCase()}`;
    // One a second: none is over when the last one has begun.
    given.push(sidestep(...give, "--filter", filter, "--rate", "1", "--yes"));
    await expect.poll(async () => (await dones()).length, patience).toBe(given.length);
  }
  const reached = Promise.withResolvers<readonly number[]>();
  await expect
    .poll(async () => {
      const now = await dones();
      if (now.every((done) => done > 0)) reached.resolve(now);
      return now.every((done) => done > 0);
    }, patience)
    .toBe(true);
  await stack.crashOrchestrator();
  expect(Math.min(...(await reached.promise))).toBeLessThan(runs);
  for (const end of await Promise.all(given))
    expect(end).toMatchObject({ code: 0, stderr: expect.stringMatching(new RegExp(`^${runs} of ${runs} done$`, "m")) });
  for (const { rpc, after } of givings) await expect.poll(() => countOf(rpc), patience).toContain(` ${after} `);
  expect(["patched", "signalled", "again"].map(saidOf)).toEqual([runs, runs, 2 * runs]);
});
