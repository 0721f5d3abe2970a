import { SchedulesClient } from "../../proto/gen/sidestep/v1/schedules.ts";
import type { DescribeScheduleResponse } from "../../proto/gen/sidestep/v1/schedules.ts";
import { openClient, startScheduleStack } from "../support/scheduleStack.ts";

/** What fail-overs of a schedule that fires each second came to. */
export interface FailOvers {
  readonly kills: number;
  /** Nominal times, from the first run's to the last's. */
  readonly times: number;
  readonly runs: number;
  /** Nominal times without a run, and those with more than one. */
  readonly missing: readonly number[];
  readonly doubled: readonly number[];
  /** The longest time between a nominal time and the one who noted its run. */
  readonly latestMs: number;
}

const flows = `
syntax = "proto3";
package flows.v1;
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Tick(Moment) returns (Moment) {
    option (sidestep.v1.workflow) = {
      trigger {
        name: "each-second"
        cron { every: "1s" overlap: ALLOW catch_up: "10m" }
        input: '{at: string(now)}'
      }
      step { id: "seen" let { value: 'input.at' } }
      output: '{at: seen}'
    };
  }
}
message Moment { string at = 1; }
`;
const scheduleId = "flows.v1.Flows/Tick/each-second";
const everyMs = 1_000;

/** Kills whoever owns the schedule, again and again, each time once the one before has started some; then counts runs in the log. */
export async function runFailOvers(kills: number, progress: (line: string) => void): Promise<FailOvers> {
  await using stack = await startScheduleStack(flows, { orchestrators: 3 });
  let killed = -1;
  const describe = async (): Promise<DescribeScheduleResponse | undefined> => {
    const address = stack.addresses[(killed + 1) % stack.addresses.length] ?? "";
    using client = openClient(SchedulesClient, address);
    const asked = Promise.withResolvers<DescribeScheduleResponse | undefined>();
    client.describe({ scheduleId }, (error, answer) => asked.resolve(error === null ? answer : undefined));
    return await asked.promise;
  };
  const started = async (): Promise<number> => Number((await describe())?.schedule?.started ?? 0);
  const startedSince = async (count: number): Promise<number> => {
    for (;;) {
      const now = await started();
      if (now > count) return now;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  let latestMs = 0;
  let seen = await startedSince(2);
  for (let round = 1; round <= kills; round++) {
    killed = await stack.crashOwner();
    const before = seen;
    // What was missed meanwhile, and one more.
    seen = await startedSince(seen + 3);
    const { schedule } = (await describe()) ?? {};
    for (const { nominal, at } of schedule?.fired ?? [])
      latestMs = Math.max(latestMs, Number((at?.seconds ?? 0n) - (nominal?.seconds ?? 0n)) * 1_000);
    progress(`kill ${round} of ${kills}: orchestrator ${killed}, ${seen - before} starts since`);
  }
  await stack.stopAll();
  const starts = await stack.startsOf(scheduleId);
  const nominal = [...starts.keys()].toSorted((a, b) => a - b);
  const [first = 0, last = 0] = [nominal[0], nominal.at(-1)];
  const missing: number[] = [];
  for (let at = first; at <= last; at += everyMs) if (!starts.has(at)) missing.push(at);
  return {
    kills,
    times: (last - first) / everyMs + 1,
    runs: [...starts.values()].reduce((sum, { length }) => sum + length, 0),
    missing,
    doubled: nominal.filter((at) => (starts.get(at)?.length ?? 0) > 1),
    latestMs,
  };
}
