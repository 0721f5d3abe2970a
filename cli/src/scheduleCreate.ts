import { CreateScheduleResponse } from "../../proto/gen/sidestep/v1/schedules.ts";
import { Overlap_Policy } from "../../proto/gen/sidestep/v1/workflow.ts";
import { openFrontClient } from "./frontClient.ts";
import { printShown } from "./listing.ts";
import { jsonToBytes } from "./messageJson.ts";
import { readRequestText } from "./requestText.ts";
import { nextText } from "./scheduleText.ts";
import type { Terminal } from "./terminal.ts";
import { loadWorkflowRpc } from "./workflowRpc.ts";

export type Overlap = "skip" | "buffer-one" | "allow" | "cancel-other";

/** A schedule to make, as flags give it. */
export interface CreateOptions {
  readonly address: string;
  readonly output: "table" | "json";
  readonly id: string;
  readonly workflow: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly every: string;
  readonly phase: string;
  readonly overlap: Overlap;
  readonly catchUp: string;
  readonly jitter: string;
  readonly request?: string;
  readonly paused: boolean;
  readonly reason: string;
}

const policies: Readonly<Record<Overlap, Overlap_Policy>> = {
  skip: Overlap_Policy.SKIP,
  "buffer-one": Overlap_Policy.BUFFER_ONE,
  allow: Overlap_Policy.ALLOW,
  "cancel-other": Overlap_Policy.CANCEL_OTHER,
};

/** Makes a schedule, and prints its id. */
export async function createSchedule(options: CreateOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const json = await readRequestText(options.request, terminal);
  const types = await loadWorkflowRpc(client, options.workflow);
  const input = Buffer.from(jsonToBytes(types.registry, types.requestType, json));
  const { id: scheduleId, workflow, cron: line, timeZone, every, phase, catchUp, jitter, paused, reason } = options;
  const cron = { line, timeZone, every, phase, overlap: policies[options.overlap], catchUp, jitter };
  const create = client.schedules.create.bind(client.schedules);
  const answer = await client.call(create, { scheduleId, workflow, cron, input, paused, reason });
  const bytes = CreateScheduleResponse.encode(answer).finish();
  const text = (): string => {
    terminal.err(`${nextText(answer.schedule, terminal.now())}\n`);
    return `${scheduleId}\n`;
  };
  await printShown(options.output, { type: "sidestep.v1.CreateScheduleResponse", bytes }, text, terminal);
}
