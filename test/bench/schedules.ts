import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { SchedulesClient } from "../../proto/gen/sidestep/v1/schedules.ts";
import type { CreateScheduleRequest } from "../../proto/gen/sidestep/v1/schedules.ts";
import { Overlap_Policy } from "../../proto/gen/sidestep/v1/workflow.ts";
import { openGate } from "../../runtime/src/gate.ts";
import { pause } from "../../runtime/src/pause.ts";
import { openClient, startScheduleStack } from "../support/scheduleStack.ts";
import { quantile } from "./accounting.ts";
import { progress } from "./stack.ts";
import { readEvents } from "./streams.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- schedules [options]

Makes schedules that are due once a minute, spread evenly over it and then all at its beginning, lets a minute pass, and reads from the log how long after its
nominal time each run was stored.

  --schedules <n>  (1000)
  --json <file>    writes the figures
  --help`;

const flows = `
syntax = "proto3";
package flows.v1;
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Tick(Moment) returns (Moment) {
    option (sidestep.v1.workflow) = { step { id: "at" let { value: 'input.at' } } output: '{at: at}' };
  }
}
message Moment { string at = 1; }
`;
const minuteMs = 60_000;
const createsAtOnce = 32;
/** What is due at the end of the minute has so long to start. */
const settleMs = 5_000;

/** Measures how late runs of many schedules start. */
export async function measureSchedules(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      schedules: { type: "string", default: "1000" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const count = Number(values.schedules);
  const spread = await measureOne(count, (index) => Math.floor((index * minuteMs) / count));
  const together = await measureOne(count, () => 0);
  const row = (name: string, { runs, lateMs }: Figures): readonly string[] => [
    name,
    String(runs),
    ...[0.5, 0.99, 1].map((part) => quantile(lateMs, part).toFixed(0)),
  ];
  const head = [`${count} schedules`, "runs", "p50 ms late", "p99", "last"];
  console.log(textTable([head, row("spread over a minute", spread), row("all at its beginning", together)]));
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify({ count, spread, together }));
}

interface Figures {
  readonly runs: number;
  readonly lateMs: readonly number[];
}

async function measureOne(count: number, phaseOf: (index: number) => number): Promise<Figures> {
  await using stack = await startScheduleStack(flows, { partitions: 4 });
  using client = openClient(SchedulesClient, stack.addresses[0] ?? "");
  const create = (request: CreateScheduleRequest): Promise<void> =>
    new Promise((resolve, reject) => {
      client.create(request, (error) => (error === null ? resolve() : reject(error)));
    });
  const gate = openGate(createsAtOnce);
  const beganMs = Date.now();
  const making = Array.from({ length: count }, (_, index) => {
    const phaseMs = phaseOf(index);
    const cron = { line: "", timeZone: "", every: "1m", phase: phaseMs === 0 ? "" : `${phaseMs}ms` };
    const more = { overlap: Overlap_Policy.SKIP, catchUp: "", jitter: "" };
    const made = { scheduleId: `s${index}`, workflow: "flows.v1.Flows/Tick", cron: { ...cron, ...more } };
    return gate(() => create({ ...made, input: Buffer.of(), paused: false, reason: "" }));
  });
  await Promise.all(making);
  progress(`${count} schedules were made in ${((Date.now() - beganMs) / 1_000).toFixed(1)} s`);
  // A whole minute after the last was made: each has one nominal time in it.
  const fromMs = Math.ceil((Date.now() + settleMs) / minuteMs) * minuteMs;
  await pause(fromMs + minuteMs + settleMs - Date.now());
  const lateMs: number[] = [];
  await readEvents(stack.nats.url, ({ kind }, storedMs) => {
    if (kind?.$case !== "runStarted" || kind.value.schedule === undefined) return;
    const { nominalMs } = kind.value.schedule;
    if (nominalMs >= fromMs && nominalMs < fromMs + minuteMs) lateMs.push(storedMs - nominalMs);
  });
  return { runs: lateMs.length, lateMs: lateMs.toSorted((a, b) => a - b) };
}
