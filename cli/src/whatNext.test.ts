import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Incident, Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { fakeDefinitions, fakeFront, openTestServer, someRun } from "../../orchestrator/src/grpc/testing.ts";
import type { Triggers } from "../../orchestrator/src/processor/triggers.ts";
import { runHere } from "./testing.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

const front = fakeFront();
let address = "";

beforeAll(async () => {
  // Those that are asked to go are all of a contract.
  const triggers = { remove: () => Promise.resolve({ kind: "active" }) } as Partial<Triggers> as Triggers;
  const server = closing.use(await openTestServer(front, fakeDefinitions(new Uint8Array()), { triggers }));
  address = `127.0.0.1:${server.port}`;
});

const sidestep = (...args: readonly string[]) => runHere([...args, "--address", address]);

test("at an incident describe shows each of the ways out, as it is typed", async () => {
  front.run = { state: Run_State.PAUSED, incidents: [Incident.fromPartial({ step: "ship" })] };
  const { stdout } = await sidestep("run", "describe", someRun);
  for (const way of ["retry", "fail", "skip", "patch", "compensate"])
    expect(stdout).toContain(`sidestep run ${way} ${someRun} --step ship`);
  expect(stdout).toContain(`run skip ${someRun} --step ship -d`);
  // A compensation has no result to give.
  front.run = { ...front.run, incidents: [Incident.fromPartial({ step: "ship", compensation: true })] };
  expect((await sidestep("run", "describe", someRun)).stdout).not.toContain(`run skip ${someRun} --step ship -d`);
});

test("what can't be done to a trigger or a schedule names a command for triggers and schedules", async () => {
  const ofContract = await sidestep("trigger", "delete", "shop.v1.Orders/Place/placed");
  expect(ofContract).toMatchObject({ code: 1, stderr: expect.stringContaining("What next: `sidestep trigger pause") });
  const unknown = await sidestep("schedule", "pause", "nobody");
  expect(unknown).toMatchObject({ code: 5, stderr: expect.stringContaining("`sidestep schedule list`") });
});

test("a call alone refuses a method that streams, before anything is called", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-call-"));
  closing.defer(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, "buf.yaml"), "version: v2\n");
  const rpcs = "rpc Feed(stream Tick) returns (Tick); rpc Tell(Tick) returns (stream Tick);";
  const text = `syntax = "proto3"; package clock.v1; service Clock { ${rpcs} } message Tick { int64 at = 1; }`;
  await writeFile(path.join(folder, "clock.proto"), text);
  for (const method of ["Feed", "Tell"]) {
    const { code, stderr } = await sidestep("call", `clock.v1.Clock/${method}`, "--proto", folder, "-d", "{}");
    expect([code, stderr]).toEqual([2, expect.stringContaining(`clock.v1.Clock/${method} streams`)]);
  }
  expect(front.starts).toEqual([]);
});
