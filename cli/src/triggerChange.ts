import { openFrontClient } from "./frontClient.ts";
import type { Terminal } from "./terminal.ts";

interface ChangeOptions {
  readonly address: string;
  readonly reason: string;
}

/** Has it take no messages. */
export async function pauseTrigger(
  triggerId: string,
  { address, reason }: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  await client.call(client.triggers.pause.bind(client.triggers), { triggerId, reason });
  terminal.err(`${triggerId} keeps what comes until \`sidestep trigger resume ${triggerId}\`\n`);
}

/** Lets it go on. */
export async function resumeTrigger(
  triggerId: string,
  { address, reason }: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const { trigger } = await client.call(client.triggers.resume.bind(client.triggers), { triggerId, reason });
  const waiting = trigger?.waiting ?? 0n;
  terminal.err(`${triggerId} goes on; ${waiting === 1n ? "1 message waits" : `${waiting} messages wait`}\n`);
}

/** Forgets it. */
export async function deleteTrigger(
  triggerId: string,
  { address, reason }: ChangeOptions,
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  await client.call(client.triggers.delete.bind(client.triggers), { triggerId, reason });
  terminal.err(`${triggerId} is forgotten, and all that waited for it\n`);
}
