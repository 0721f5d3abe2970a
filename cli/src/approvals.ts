import { ListApprovalsResponse, ListRunsResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import type { PendingApproval, Run } from "../../proto/gen/sidestep/v1/run.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ListForm } from "./listForm.ts";
import { printList, timeColumn } from "./listing.ts";
import { jsonToBytes } from "./messageJson.ts";
import { readRequestText } from "./requestText.ts";
import type { Terminal } from "./terminal.ts";
import { registryFor } from "./workflowRpc.ts";

/** Prints the approvals of a run that wait for a decision. */
export async function listApprovals(
  options: { readonly address: string; readonly runId: string; readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.listApprovals.bind(client.runs), { runId: options.runId });
  printList(
    options.output,
    {
      type: "sidestep.v1.ListApprovalsResponse",
      bytes: ListApprovalsResponse.encode(answer).finish(),
      field: "approvals",
      items: answer.approvals,
      name: ({ step }) => step,
      empty: "no approval of the run waits",
      columns: [
        { heading: "STEP", cell: ({ step }) => step },
        { heading: "APPROVERS", cell: approversText },
        { heading: "FORM", cell: ({ type }) => type },
        ...timeColumn<PendingApproval>("DUE", ({ due }) => due),
        { heading: "TITLE", cell: ({ title }) => title },
      ],
    },
    terminal,
  );
}

/** An approval and the run that waits for it. */
interface Waiting {
  readonly run: Run;
  readonly approval: PendingApproval;
}

/** More are a matter for `run list`. */
const runsMax = 100;

/** Prints the approvals of all runs that wait for a decision, newest run first; for programs, the runs. */
export async function listAllApprovals(
  options: { readonly address: string; readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const { runs } = client;
  const asked = { filter: "approvals > 0", pageSize: runsMax, pageToken: "", skip: 0 };
  const found = await client.call(runs.list.bind(runs), asked);
  const waiting = await Promise.all(
    found.runs.map(async ({ run }): Promise<readonly Waiting[]> => {
      if (run === undefined) return [];
      const { approvals } = await client.call(runs.listApprovals.bind(runs), { runId: run.runId });
      return approvals.map((approval) => ({ run, approval }));
    }),
  );
  printList<Waiting>(
    options.output,
    {
      type: "sidestep.v1.ListRunsResponse",
      bytes: ListRunsResponse.encode(found).finish(),
      field: "runs",
      items: waiting.flat(),
      name: ({ run }) => run.runId,
      empty: "no run waits for a decision",
      columns: [
        { heading: "RUN", cell: ({ run }) => run.runId },
        { heading: "KEY", cell: ({ run }) => run.key },
        { heading: "STEP", cell: ({ approval }) => approval.step },
        { heading: "APPROVERS", cell: ({ approval }) => approversText(approval) },
        ...timeColumn<Waiting>("DUE", ({ approval }) => approval.due),
        { heading: "TITLE", cell: ({ approval }) => approval.title },
      ],
    },
    terminal,
  );
  if (found.nextPageToken !== "") terminal.err(`these are of the newest ${runsMax} runs that wait for a decision\n`);
}

function approversText({ approvers }: PendingApproval): string {
  return approvers.length === 0 ? "anybody" : approvers.join(", ");
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
