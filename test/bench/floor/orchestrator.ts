// The floor's orchestrator: gRPC in, a durable start, one durable task and one durable outcome a step, state moves only by what comes back
// from the log. No checker, retries, timers, recovery or traces: the least that this shape can cost. Arguments: NATS URL, port.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import { floorStreams, openBus } from "./bus.ts";
import { decodeFact, encodeFact } from "./fact.ts";

interface FloorRun {
  readonly steps: number;
  done: number;
  readonly answer: (error: null, bytes: Buffer) => void;
}

const [url = "", port = "0"] = process.argv.slice(2);
const bus = await openBus(url);
const runs = new Map<number, FloorRun>();
let lastRun = 0;
const same = (bytes: Buffer): Buffer => bytes;
const fail = (error: unknown): never => {
  console.error(error);
  process.exit(1);
};

await bus.consume(floorStreams.log, undefined, (message) => {
  const fact = decodeFact(message.data);
  const run = runs.get(fact.run);
  if (run === undefined) return;
  if (fact.kind === "outcome") run.done += 1;
  if (fact.kind === "ended") {
    runs.delete(fact.run);
    run.answer(null, Buffer.from(fact.payload));
  } else if (run.done < run.steps) {
    const task = encodeFact({ kind: "outcome", run: fact.run, step: run.done, payload: fact.payload });
    bus.publish("floor.task.echo", task).catch(fail);
  } else {
    const end = encodeFact({ kind: "ended", run: fact.run, step: 0, payload: fact.payload });
    bus.publish(`floor.log.${fact.run}.e`, end).catch(fail);
  }
});

const server = new Server();
const start =
  (steps: number) =>
  (call: { request: Buffer }, answer: (error: null, bytes: Buffer) => void): void => {
    const run = (lastRun += 1);
    runs.set(run, { steps, done: 0, answer });
    const started = encodeFact({ kind: "started", run, step: 0, payload: call.request });
    bus.publish(`floor.log.${run}.e`, started).catch(fail);
  };
const method = (name: string) => ({
  path: `/bench.v1.Chain/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const implementation: UntypedServiceImplementation = { One: start(1), Ten: start(10) };
server.addService({ One: method("One"), Ten: method("Ten") }, implementation);
server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) fail(error);
  console.log("READY");
});
