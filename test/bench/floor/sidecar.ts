// The floor's sidecar: pull a task, call the service with grpc-js, publish the outcome durably, acknowledge the task.
// Arguments: NATS URL, address of the service.
import { Client, credentials } from "@grpc/grpc-js";
import type { JsMsg } from "@nats-io/jetstream";
import { floorStreams, openBus } from "./bus.ts";
import { decodeFact, encodeFact } from "./fact.ts";

const [url = "", address = ""] = process.argv.slice(2);
const bus = await openBus(url);
const client = new Client(address, credentials.createInsecure());
const same = (bytes: Buffer): Buffer => bytes;

await bus.consume(floorStreams.tasks, "echo", (message) => {
  carryOut(message).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
console.log("READY");

async function carryOut(message: JsMsg): Promise<void> {
  const task = decodeFact(message.data);
  const payload = await call(Buffer.from(task.payload));
  await bus.publish(`floor.log.${task.run}.o`, encodeFact({ ...task, payload }));
  message.ack();
}

function call(request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/bench.v1.Echo/Say",
      same,
      same,
      request,
      { deadline: Date.now() + 30_000 },
      (error, answer) =>
        error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error("no answer")),
    );
  });
}
