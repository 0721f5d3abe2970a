import { jetstreamManager } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { toNames } from "../../proto/wire/subjects.ts";
import { logger } from "../../runtime/src/log.ts";
import { connectTo } from "../../test/support/connectTo.ts";
import { startNatsCluster, toServerName } from "../../test/support/natsCluster.ts";
import { TaskPuller } from "./nats/tasks.ts";
import { startFakeOrchestrator } from "./testing/fakeOrchestrator.ts";

test("what a server that leads no more was asked for is not waited for once one request finds nobody", async () => {
  const [names, service] = [toNames(), "echo.v1.Echo"];
  await using cluster = await startNatsCluster();
  await using orchestrator = await startFakeOrchestrator(cluster.url);
  await orchestrator.deploy(service);
  const manager = await jetstreamManager(orchestrator.connection);
  const { cluster: led } = await manager.consumers.info(names.tasksStream, names.taskConsumer(service));
  const leader = cluster.servers.findIndex((_, number) => toServerName(number) === led?.leader);
  await using nats = await connectTo(cluster.urls[leader === 0 ? 1 : 0] ?? "");
  const lines: string[] = [];
  const log = logger("test", { write: (line) => lines.push(line) });
  let inHands = 20;
  const room = () => ({ slots: 64, pullers: 1, inHands, free: 40, asked: 0, unasked: 40 });
  const puller = new TaskPuller({ nats, names, service, log, room, accept: () => undefined });
  puller.resume();
  await orchestrator.until(async () => (await orchestrator.pullsWaiting(service)) === 1, "it asks");
  await cluster.servers[leader]?.kill9();
  inHands = 0;
  puller.pull();
  await orchestrator.until(() => lines.length > 0, "a word of it");
  // Not that its requests fell silent.
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(["waiting for the first workflow that calls the service"]);
  expect(puller.outstanding()).toBe(0);
  await puller.close();
});
