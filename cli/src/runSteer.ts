import { openFrontClient } from "./frontClient.ts";
import { CliFailure, exit } from "./failure.ts";
import { jsonToBytes } from "./messageJson.ts";
import { methodTypes } from "./methodRpc.ts";
import { readRequestText } from "./requestText.ts";
import type { Terminal } from "./terminal.ts";

export interface SteerOptions {
  readonly address: string;
  readonly runId: string;
  readonly reason: string;
  /** Empty: the only incident. */
  readonly step: string;
}

export type Steering = "cancel" | "terminate" | "retry" | "fail" | "compensate" | "pause" | "resume" | "delete";

/** Asks for a change of course and says what happens now. */
export async function steerRun(steering: Steering, options: SteerOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const { runs } = client;
  const { runId, reason, step } = options;
  switch (steering) {
    case "cancel":
      return told(
        await client.call(runs.cancel.bind(runs), { runId, reason }),
        "is being cancelled: what was done is undone",
      );
    case "terminate":
      return told(
        await client.call(runs.terminate.bind(runs), { runId, reason }),
        "was terminated: nothing was undone",
      );
    case "retry":
      await client.call(runs.retry.bind(runs), { runId, reason, step });
      return terminal.err(`run ${runId} tries the step again\n`);
    case "fail":
      await client.call(runs.fail.bind(runs), { runId, reason, step });
      return terminal.err(`run ${runId} goes on with the step failed\n`);
    case "compensate":
      await client.call(runs.compensate.bind(runs), { runId, reason, step });
      return terminal.err(`run ${runId} fails: what was done is undone\n`);
    case "pause":
      return told(
        await client.call(runs.pause.bind(runs), { runId, reason }),
        "begins nothing new until it is resumed",
      );
    case "resume":
      await client.call(runs.resume.bind(runs), { runId, reason });
      return terminal.err(`run ${runId} goes on\n`);
    case "delete":
      await client.call(runs.delete.bind(runs), { runId, reason });
      return terminal.err(`run ${runId} is deleted\n`);
  }

  /** Two people may ask for the same: who came second is told. */
  function told({ already }: { readonly already: boolean }, does: string): void {
    terminal.err(already ? `run ${runId}: nothing has changed, somebody was first\n` : `run ${runId} ${does}\n`);
  }
}

/** Has a run go on in place of one that has ended, and prints its id. */
export async function rerunRun({ address, runId, step, reason }: SteerOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(address);
  const { runs } = client;
  const next = await client.call(runs.rerun.bind(runs), { runId, step, reason });
  terminal.out(`${next.runId}\n`);
  terminal.err(`run ${next.runId} goes on in place of ${runId}, from ${step} on\n`);
}

export interface GiveOptions extends SteerOptions {
  /** JSON, @file or -; undefined: an empty message. */
  readonly request: string | undefined;
  /** Folder with the .proto files of the step's method; undefined: the orchestrator describes it. */
  readonly protoFolder: string | undefined;
}

/** Leaves an incident with a result or a request given here, typed by the step's method. */
export async function giveToRun(giving: "skip" | "patch", options: GiveOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const { runs } = client;
  const { runId, reason } = options;
  const { run } = await client.call(runs.get.bind(runs), { runId });
  const incident = run?.incidents.find((one) => options.step === "" || one.step === options.step);
  const step = run?.steps.find(
    (one) => one.path === incident?.step && one.compensation === (incident?.compensation ?? false),
  );
  if (step === undefined) {
    const what = `the run ${runId} has no such incident`;
    throw new CliFailure(exit.error, what, `the orchestrator at ${options.address}`, `sidestep run describe ${runId}`);
  }
  if (giving === "skip") {
    // A compensation has no result.
    const result = step.compensation ? Buffer.alloc(0) : await given(step.method, "responseType");
    await client.call(runs.skip.bind(runs), { runId, step: step.path, reason, result });
    return terminal.err(`run ${runId} goes on with the result that was given\n`);
  }
  const request = await given(step.method, "requestType");
  await client.call(runs.patch.bind(runs), { runId, step: step.path, reason, request });
  return terminal.err(`run ${runId} calls again with the request that was given\n`);

  async function given(method: string, of: "requestType" | "responseType"): Promise<Buffer> {
    const json = await readRequestText(options.request, terminal);
    const types = await methodTypes(client, method, options.protoFolder);
    return Buffer.from(jsonToBytes(types.registry, types[of], json));
  }
}
