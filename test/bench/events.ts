import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { loadavg } from "node:os";
import { jetstreamManager } from "@nats-io/jetstream";
import { pause } from "../../runtime/src/pause.ts";
import { openPublisher } from "../../runtime/src/publisher.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { startTriggerStack } from "../support/triggerStack.ts";
import { progress } from "./stack.ts";
import { readEvents } from "./streams.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- events [options]

Stores messages for a trigger that is paused, lets it go on, and reads from the log in what time their runs were stored. The messages wait in a stream of the
orchestrators, and then in somebody else's.

  --messages <n>  (20000)
  --json <file>   writes the figures
  --help`;

const flows = `
syntax = "proto3";
package flows.v1;
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Take(Placed) returns (Placed) {
    option (sidestep.v1.workflow) = {
      trigger { name: "placed" subject { pattern: "orders.placed" type: "flows.v1.Placed" } when: 'event.quantity > 0' }
      step { id: "at" let { value: 'input.id' } } output: '{id: at}'
    };
  }
}
message Placed { string id = 1; int32 quantity = 2; }
`;
const trigger = "flows.v1.Flows/Take/placed";
const lookEveryMs = 200;

interface Figures {
  readonly runs: number;
  readonly seconds: number;
}

/** Measures how many runs a second events start. */
export async function measureEvents(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      messages: { type: "string", default: "20000" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const count = Number(values.messages);
  const ours = await measureOne(count, false);
  const theirs = await measureOne(count, true);
  const row = (name: string, { runs, seconds }: Figures): readonly string[] => [
    name,
    String(runs),
    seconds.toFixed(2),
    (runs / seconds).toFixed(0),
  ];
  const head = [`${count} messages`, "runs", "s", "starts/s"];
  console.log(textTable([head, row("the orchestrators' stream", ours), row("somebody else's stream", theirs)]));
  const load = loadavg();
  console.log(`load of the machine: ${load.map((one) => one.toFixed(1)).join(" ")}`);
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify({ count, ours, theirs, load }));
}

async function measureOne(count: number, isOther: boolean): Promise<Figures> {
  const names = toNames();
  await using stack = await startTriggerStack();
  const { connection } = stack.client;
  const manager = await jetstreamManager(connection);
  if (isOther) await manager.streams.add({ name: "ORDERS", subjects: ["orders.>"] });
  const { address } = await stack.start({ args: ["--partitions", "4"] });
  await stack.deploy(address, flows);
  const stream = isOther ? "ORDERS" : names.eventsStream;
  const consumer = names.triggerConsumer(trigger);
  const waiting = async (): Promise<number> => {
    const info = await manager.consumers.info(stream, consumer).catch(() => undefined);
    return info === undefined ? Number.NaN : info.num_pending + info.num_ack_pending;
  };
  while (Number.isNaN(await waiting())) await pause(lookEveryMs);
  while ((await stack.sidestep(address, "trigger", "pause", trigger)).code !== 0) await pause(lookEveryMs);
  using publisher = openPublisher(connection);
  const publish = (index: number) =>
    publisher.publish("orders.placed", Buffer.from(JSON.stringify({ id: `o-${index}`, quantity: 1 })));
  await Promise.all(Array.from({ length: count }, (_, index) => publish(index)));
  progress(`${await waiting()} messages wait`);
  await stack.sidestep(address, "trigger", "resume", trigger);
  while ((await waiting()) > 0) await pause(lookEveryMs);
  const stored: number[] = [];
  await readEvents(stack.nats.url, ({ kind }, storedMs) => {
    if (kind?.$case === "runStarted" && kind.value.event !== undefined) stored.push(storedMs);
  });
  stored.sort((a, b) => a - b);
  return { runs: stored.length, seconds: ((stored.at(-1) ?? 0) - (stored[0] ?? 0)) / 1_000 };
}
