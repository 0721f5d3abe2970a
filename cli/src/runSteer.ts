import { openFrontClient } from "./frontClient.ts";
import type { Terminal } from "./terminal.ts";

export interface SteerOptions {
  readonly address: string;
  readonly runId: string;
  readonly reason: string;
  /** Empty: the only incident. */
  readonly step: string;
}

export type Steering = "cancel" | "terminate" | "retry" | "fail";

/** Asks for a change of course and says what happens now. */
export async function steerRun(steering: Steering, options: SteerOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const { runs } = client;
  const { runId, reason, step } = options;
  switch (steering) {
    case "cancel":
      await client.call(runs.cancel.bind(runs), { runId, reason });
      return terminal.err(`run ${runId} is being cancelled: what was done is undone\n`);
    case "terminate":
      await client.call(runs.terminate.bind(runs), { runId, reason });
      return terminal.err(`run ${runId} was terminated: nothing was undone\n`);
    case "retry":
      await client.call(runs.retry.bind(runs), { runId, reason, step });
      return terminal.err(`run ${runId} tries the step again\n`);
    case "fail":
      await client.call(runs.fail.bind(runs), { runId, reason, step });
      return terminal.err(`run ${runId} goes on with the step failed\n`);
  }
}
