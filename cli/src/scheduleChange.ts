import type { Timestamp } from "../../proto/gen/google/protobuf/timestamp.ts";
import { openFrontClient } from "./frontClient.ts";
import type { Terminal } from "./terminal.ts";
import { relativeText, timeText } from "./time.ts";

interface ChangeOptions {
  readonly address: string;
  readonly reason: string;
}

/** Has it look at no nominal time. */
export async function pauseSchedule(
  scheduleId: string,
  { address, reason }: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  await client.call(client.schedules.pause.bind(client.schedules), { scheduleId, reason });
  terminal.err(`${scheduleId} starts nothing until \`sidestep schedule resume ${scheduleId}\`\n`);
}

/** Lets it go on. */
export async function resumeSchedule(
  scheduleId: string,
  { address, reason }: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const { schedule } = await client.call(client.schedules.resume.bind(client.schedules), { scheduleId, reason });
  const at = schedule?.nextAt;
  const next = at === undefined ? "none comes" : `${timeText(at)}, ${relativeText(at, terminal.now())}`;
  terminal.err(`${scheduleId} goes on; its next nominal time: ${next}\n`);
}

/** Starts a run now. */
export async function triggerSchedule(
  scheduleId: string,
  { address, reason }: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const { runId } = await client.call(client.schedules.trigger.bind(client.schedules), { scheduleId, reason });
  terminal.out(`${runId}\n`);
}

/** Starts runs for nominal times of the past. */
export async function backfillSchedule(
  scheduleId: string,
  { address, reason, from, to }: ChangeOptions & { readonly from: Timestamp; readonly to: Timestamp },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const backfill = client.schedules.backfill.bind(client.schedules);
  const { times } = await client.call(backfill, { scheduleId, from, to, reason });
  const said = times === 1 ? "1 nominal time gets its run" : `${times} nominal times get their runs`;
  terminal.err(`${said}; \`sidestep schedule describe ${scheduleId}\` shows how far that is\n`);
}

/** Forgets it. */
export async function deleteSchedule(
  scheduleId: string,
  { address, reason }: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  await client.call(client.schedules.delete.bind(client.schedules), { scheduleId, reason });
  terminal.err(`${scheduleId} is deleted; its runs go on\n`);
}
