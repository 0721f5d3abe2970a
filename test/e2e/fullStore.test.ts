import assert from "node:assert/strict";
import { afterAll, expect, test } from "vitest";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { startTriggerStack } from "../support/triggerStack.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

const flows = `
syntax = "proto3";
package flows.v1;
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Keep(Note) returns (Note) {
    option (sidestep.v1.workflow) = { step { id: "at" let { value: 'input.id' } } output: '{id: at}' };
  }
}
message Note { string id = 1; }
`;
/** An account that may keep so much, as a disk has an end. */
const configuration = `accounts { ONE { jetstream: { max_file: 3MB }, users: [{ user: one, password: one }] } }`;
const patience = { timeout: 30_000, interval: 200 };

test("where NATS has no room for more it is named: in the log, by doctor and to who starts a run; with room all goes on", async () => {
  const withUser = (port: number): string => `nats://one:one@127.0.0.1:${port}`;
  const stack = closing.use(await startTriggerStack({ configuration, clientUrl: ({ port }) => withUser(port) }));
  const { program, address } = await stack.start({ env: { NATS_URL: withUser(stack.nats.port) } });
  await stack.deploy(address, flows);
  const run = () =>
    stack.sidestep(address, "run", "exec", "flows.v1.Flows/Keep", "-d", '{"id": "a"}', "--timeout", "5s");
  const doctor = async (): Promise<string> => (await stack.sidestep(address, "doctor")).stdout;
  expect((await run()).code).toBe(0);
  expect(await doctor()).toContain("takes runs");

  const manager = await jetstreamManager(stack.client.connection);
  await manager.streams.add({ name: "FILLER", subjects: ["filler"] });
  const filler = jetstream(stack.client.connection);
  for (const bytes of [500_000, 20_000, 400])
    for (;;)
      if (
        await filler.publish("filler", new Uint8Array(bytes)).then(
          () => false,
          () => true,
        )
      )
        break;

  const refused = await run();
  expect(refused.code).not.toBe(0);
  await expect.poll(() => program.lines.join("\n"), patience).toContain("NATS has no room to store more");
  await expect.poll(doctor, patience).toContain("takes no runs");

  await manager.streams.delete("FILLER");
  await expect.poll(async () => (await run()).code, patience).toBe(0);
  await expect.poll(doctor, patience).toContain("takes runs");
  assert(program.lines.some((line) => line.includes("NATS stores again what it had no room for")));
}, 120_000);
