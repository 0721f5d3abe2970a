import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Ask } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { names } from "../../../test/support/orchestrators.ts";
import { readTask } from "../core/taskMessage.ts";
import { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { taskOf } from "../testing/tasks.ts";
import { openAsks } from "./asks.ts";

test("what is asked when the connection is lost counts as unanswered at once", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const reading = readTask(Task.encode(taskOf(1)).finish());
  assert(reading.kind === "task");
  const { task } = reading;
  const asked = Promise.withResolvers<void>();
  nats.connection.subscribe(names.askSubject(task.service, task.message.partition), {
    callback: () => asked.resolve(),
  });
  const lost = new Set<() => void>();
  const onDisconnect = (listener: () => void) => {
    lost.add(listener);
    return () => undefined;
  };
  const ask = openAsks({ connection: nats.connection, onDisconnect }, names);
  const verdict = ask(task, Ask.create());
  await asked.promise;
  for (const listener of lost) listener();
  const isToldLater = new Promise<string>((resolve) => void setImmediate(() => resolve("later")));
  expect(await Promise.race([verdict, isToldLater])).toBeUndefined();
});
