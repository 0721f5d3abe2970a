// The floor's sidecar: pull a task, call the service with the sidecar's own client, append the outcome durably, acknowledge the task.
// Arguments: NATS URL, address of the service, which floor, "grpc-js" for that one instead of our own client.
import type { JsMsg } from "@nats-io/jetstream";
import { openChannel } from "../../../sidecar/src/grpc/channel.ts";
import { GrpcJsClient } from "../../../sidecar/src/grpc/grpcJsClient.ts";
import { parseTarget } from "../../../sidecar/src/grpc/target.ts";
import { UnaryClient } from "../../../sidecar/src/grpc/unaryClient.ts";
import { toAppend } from "./batches.ts";
import { floorNames, openBus, parseFloorKind } from "./bus.ts";
import { decodeFacts } from "./fact.ts";
import type { Fact } from "./fact.ts";

const [url = "", address = "", kindText, clientName] = process.argv.slice(2);
const kind = parseFloorKind(kindText);
const bus = await openBus(url);
const append = toAppend(bus, kind);
const names = floorNames(kind);
const target = parseTarget(address);
if (target === undefined) throw new Error(`no address: ${address}`);
const client =
  clientName === "grpc-js"
    ? new GrpcJsClient(openChannel(target, undefined, () => undefined))
    : new UnaryClient(target, undefined);

await bus.consume(names.tasks, names.service, (message) => {
  carryOut(message).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
console.log("READY");

async function carryOut(message: JsMsg): Promise<void> {
  await Promise.all(decodeFacts(message.data).map(callAndAppend));
  message.ack();
}

async function callAndAppend(task: Fact): Promise<void> {
  const call = client.call({
    service: "bench.v1.Echo",
    method: "bench.v1.Echo/Say",
    body: task.payload,
    headers: [],
    timeoutMs: 30_000,
    stream: undefined,
  });
  const ending = await call.ending;
  if (ending.kind !== "answered") throw new Error(`the call ended: ${JSON.stringify(ending)}`);
  await append({ ...task, payload: ending.response });
}
