import { writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { jetstreamManager } from "@nats-io/jetstream";
import { toNames } from "../../proto/wire/subjects.ts";
import { nodeFlags } from "../../bin/nodeFlags.mjs";
import { pause } from "../../runtime/src/pause.ts";
import { openPublisher } from "../../runtime/src/publisher.ts";
import { startTriggerStack } from "../support/triggerStack.ts";
import { cpuNow, cpuPerUnit, median } from "./accounting.ts";
import { withOptionalValue } from "./commandLine.ts";
import { inspectFlag, openInspector } from "./profile/inspector.ts";
import { openProfiles } from "./profile/profiles.ts";
import type { Profiles } from "./profile/profiles.ts";
import { progress } from "./stack.ts";
import { readEvents, storedIn } from "./streams.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- events [options]

Stores messages for a trigger that is paused, lets it go on, and reads from the log in what time their runs were stored; again and again on the same system, whose
first round warms it up and is not counted. The messages wait in a stream of the orchestrators, and then in somebody else's.

  --messages <n>      of a round (10000)
  --rounds <n>        that are counted (3)
  --profile [folder]  CPU profiles of the orchestrator for just what is measured, and its widest frames; slows it down somewhat
  --json <file>       writes the figures
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
/** An orchestrator asks for messages for so long. */
const askedForMs = 5_500;
/** Its start and its end. */
const messagesOfRun = 2;

/** A round. */
interface Figures {
  readonly runs: number;
  readonly seconds: number;
  /** Until the last run had ended, µs a run. */
  readonly cpu: Readonly<Record<string, number>>;
}

/** Measures how many runs a second events start. */
export async function measureEvents(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: withOptionalValue(args, "--profile"),
    options: {
      messages: { type: "string", default: "10000" },
      rounds: { type: "string", default: "3" },
      profile: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const [count, rounds] = [Number(values.messages), Number(values.rounds)];
  const profiles = values.profile === undefined ? undefined : await openProfiles(values.profile);
  const ours = await measureOne({ count, rounds, profiles, isOther: false });
  const theirs = await measureOne({ count, rounds, profiles, isOther: true });
  const head = [`${rounds} rounds of ${count} messages`, "starts/s", "orchestrator, µs a run", "nats-server"];
  console.log(textTable([head, rowOf("the orchestrators' stream", ours), rowOf("somebody else's stream", theirs)]));
  const load = loadavg();
  console.log(`load of the machine: ${load.map((one) => one.toFixed(1)).join(" ")}`);
  if (profiles !== undefined) console.log(`\n${await profiles.report()}\nThe profiles are in ${profiles.folder}.`);
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify({ count, ours, theirs, load }));
}

function rowOf(name: string, rounds: readonly Figures[]): readonly string[] {
  const rates = rounds.map(({ runs, seconds }) => runs / seconds);
  const cpuOf = (program: string): string => median(rounds.map(({ cpu }) => cpu[program] ?? Number.NaN)).toFixed(0);
  const spread = `${median(rates).toFixed(0)} (${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)})`;
  return [name, spread, cpuOf("orchestrator"), cpuOf("natsServer")];
}

async function measureOne({
  count,
  rounds,
  profiles,
  isOther,
}: {
  readonly count: number;
  readonly rounds: number;
  readonly profiles: Profiles | undefined;
  readonly isOther: boolean;
}): Promise<readonly Figures[]> {
  const names = toNames();
  await using stack = await startTriggerStack();
  const { connection } = stack.client;
  const manager = await jetstreamManager(connection);
  if (isOther) await manager.streams.add({ name: "ORDERS", subjects: ["orders.>"] });
  const { address, program } = await stack.start({
    args: ["--partitions", "4"],
    nodeArgs: [...nodeFlags.orchestrator, ...(profiles === undefined ? [] : [inspectFlag])],
  });
  using inspector = profiles && (await openInspector(program));
  await stack.deploy(address, flows);
  const stream = isOther ? "ORDERS" : names.eventsStream;
  const consumer = names.triggerConsumer(trigger);
  const waiting = async (): Promise<number> => {
    const info = await manager.consumers.info(stream, consumer).catch(() => undefined);
    return info === undefined ? Number.NaN : info.num_pending + info.num_ack_pending;
  };
  while (Number.isNaN(await waiting())) await pause(lookEveryMs);
  using publisher = openPublisher(connection);
  const pids = { orchestrator: program.pid, natsServer: stack.nats.pid() };
  const figures: Figures[] = [];
  for (let round = 0; round <= rounds; round++) {
    while ((await stack.sidestep(address, "trigger", "pause", trigger)).code !== 0) await pause(lookEveryMs);
    // What an orchestrator has asked for before is given out by then.
    await pause(askedForMs);
    const publish = (index: number) =>
      publisher.publish("orders.placed", Buffer.from(JSON.stringify({ id: `o-${round}-${index}`, quantity: 1 })));
    await Promise.all(Array.from({ length: count }, (_, index) => publish(index)));
    const { logMessages } = await storedIn(stack.nats.url);
    progress(`${await waiting()} messages wait`);
    const fromMs = Date.now();
    const isProfiled = round > 0 && inspector !== undefined;
    const end = isProfiled
      ? await profiles?.begin(isOther ? "theirs" : "ours", { orchestrator: inspector })
      : undefined;
    const before = cpuNow(pids);
    await stack.sidestep(address, "trigger", "resume", trigger);
    while ((await storedIn(stack.nats.url)).logMessages < logMessages + messagesOfRun * count) await pause(lookEveryMs);
    const cpu = cpuPerUnit(before, cpuNow(pids), count);
    await end?.();
    const stored: number[] = [];
    await readEvents(stack.nats.url, ({ kind }, storedMs) => {
      if (kind?.$case === "runStarted" && kind.value.event !== undefined && storedMs >= fromMs) stored.push(storedMs);
    });
    stored.sort((a, b) => a - b);
    const seconds = ((stored.at(-1) ?? 0) - (stored[0] ?? 0)) / 1_000;
    progress(`${stored.length} runs in ${seconds.toFixed(2)} s, CPU ${JSON.stringify(cpu)}`);
    if (round > 0) figures.push({ runs: stored.length, seconds, cpu });
  }
  return figures;
}
