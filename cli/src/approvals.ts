import { ListApprovalsResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { openFrontClient } from "./frontClient.ts";
import { bytesToJson, jsonToBytes } from "./messageJson.ts";
import { readRequestText } from "./requestText.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { timeText } from "./time.ts";
import { registryFor } from "./workflowRpc.ts";

/** Prints the approvals of a run that wait for a decision. */
export async function listApprovals(
  options: { readonly address: string; readonly runId: string; readonly output: "table" | "json" },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.listApprovals.bind(client.runs), { runId: options.runId });
  if (options.output === "json") {
    const bytes = ListApprovalsResponse.encode(answer).finish();
    return terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.ListApprovalsResponse", bytes)}\n`);
  }
  const rows = answer.approvals.map(({ step, title, approvers, type, due }) => [
    step,
    approvers.length === 0 ? "anybody" : approvers.join(", "),
    type,
    timeText(due),
    title,
  ]);
  terminal.out(tableText(["STEP", "APPROVERS", "FORM", "DUE", "TITLE"], rows));
}

export interface DecideOptions {
  readonly address: string;
  readonly runId: string;
  readonly decision: "approve" | "reject";
  /** Empty: the only one that waits. */
  readonly step: string;
  readonly by: string;
  readonly comment: string;
  /** The form as JSON; undefined: an empty one. */
  readonly form: string | undefined;
}

/** Decides an approval. */
export async function decideApproval(options: DecideOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const { runs } = client;
  const { runId, step, by, comment } = options;
  const approved = options.decision === "approve";
  const form = approved ? await formOf(options, terminal) : Buffer.alloc(0);
  await client.call(runs.decide.bind(runs), { runId, step, approved, form, by, comment });
  terminal.err(`run ${runId} has the decision: ${approved ? "approved" : "rejected"}\n`);
}

async function formOf({ address, runId, step, form }: DecideOptions, terminal: Terminal): Promise<Buffer> {
  using client = openFrontClient(address);
  const { runs } = client;
  const { run } = await client.call(runs.get.bind(runs), { runId });
  const approval = run?.approvals.find((one) => step === "" || one.step === step);
  // Whether anything waits there is the orchestrator's to say.
  if (run === undefined || approval === undefined || approval.type === "") return Buffer.alloc(0);
  const json = await readRequestText(form, terminal);
  return Buffer.from(jsonToBytes(await registryFor(client, run.workflow), approval.type, json));
}
