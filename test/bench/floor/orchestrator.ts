// The floor's orchestrator: gRPC in, a durable start, one durable task and one durable outcome a step, state moves only by what comes back
// from the log. No checker, retries, timers, recovery or traces: the least that this shape can cost. Arguments: NATS URL, port,
// which floor.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import { toAppend } from "./batches.ts";
import { floorNames, openBus, parseFloorKind } from "./bus.ts";
import { decodeFacts, encodeFacts } from "./fact.ts";
import type { Fact } from "./fact.ts";

interface FloorRun {
  readonly steps: number;
  done: number;
  readonly answer: (error: null, bytes: Buffer) => void;
}

const [url = "", port = "0", kindText] = process.argv.slice(2);
const kind = parseFloorKind(kindText);
const bus = await openBus(url);
const append = toAppend(bus, kind);
const names = floorNames(kind);
const runs = new Map<number, FloorRun>();
let lastRun = 0;
const same = (bytes: Buffer): Buffer => bytes;
const fail = (error: unknown): never => {
  console.error(error);
  process.exit(1);
};

await bus.consume(names.log, undefined, (message) => decodeFacts(message.data).forEach(take));

function take(fact: Fact): void {
  const run = runs.get(fact.run);
  if (run === undefined) return;
  if (fact.kind === "outcome") run.done += 1;
  if (fact.kind === "ended") {
    runs.delete(fact.run);
    run.answer(null, Buffer.from(fact.payload));
  } else if (run.done < run.steps) {
    const task = encodeFacts([{ kind: "outcome", run: fact.run, step: run.done, payload: fact.payload }]);
    bus.publish(names.taskSubject, task).catch(fail);
  } else {
    append({ kind: "ended", run: fact.run, step: 0, payload: fact.payload }).catch(fail);
  }
}

const server = new Server();
const start =
  (steps: number) =>
  (call: { request: Buffer }, answer: (error: null, bytes: Buffer) => void): void => {
    const run = (lastRun += 1);
    runs.set(run, { steps, done: 0, answer });
    append({ kind: "started", run, step: 0, payload: call.request }).catch(fail);
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
