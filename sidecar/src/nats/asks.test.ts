import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Ask } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { startTcpProxy } from "../../../test/support/tcpProxy.ts";
import { names } from "../../../test/support/orchestrators.ts";
import { readTask } from "../core/taskMessage.ts";
import { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { taskOf } from "../testing/tasks.ts";
import { openAsks } from "./asks.ts";

test("what was asked over a connection that was lost counts as unanswered as soon as there is another, and what is said then is heard", async () => {
  await using server = await startNats();
  await using proxy = await startTcpProxy(server.url);
  // A name is looked up before it is dialed, and what is written meanwhile the client drops.
  await using nats = await connectTo(proxy.url.replace("127.0.0.1", "localhost"));
  await using owner = await connectTo(server.url);
  const reading = readTask(Task.encode(taskOf(1)).finish());
  assert(reading.kind === "task");
  const { task } = reading;
  const asked = Promise.withResolvers<void>();
  owner.connection.subscribe(names.askSubject(task.service, task.message.partition), {
    callback: () => asked.resolve(),
  });
  let isGivenBack = false;
  owner.connection.subscribe("nak", {
    callback: () => {
      isGivenBack = true;
    },
  });
  await owner.connection.flush();
  const verdict = openAsks(nats, names)(task, Ask.create());
  const askedAtMs = performance.now();
  await asked.promise;
  proxy.cut();
  expect(await verdict).toBeUndefined();
  // An owner has 3 s to answer.
  expect(performance.now() - askedAtMs).toBeLessThan(2_900);
  nats.connection.publish("nak");
  await expect.poll(() => isGivenBack).toBe(true);
});
