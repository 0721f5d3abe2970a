import { AuditEntry_Outcome as Outcome, ListAuditResponse } from "../../proto/gen/sidestep/v1/audit.ts";
import type { AuditEntry } from "../../proto/gen/sidestep/v1/audit.ts";
import type { Timestamp } from "../../proto/gen/google/protobuf/timestamp.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ListForm } from "./listForm.ts";
import { printList, timeColumn } from "./listing.ts";
import type { Terminal } from "./terminal.ts";

export interface AuditListOptions {
  readonly address: string;
  readonly output: ListForm;
  /** Empty: everybody's; likewise below. */
  readonly actor: string;
  readonly method: string;
  readonly target: string;
  /** Undefined: whatever became of it. */
  readonly outcome?: "done" | "failed" | "refused";
  /** Entries of the last so many milliseconds. */
  readonly since?: number;
  /** Entries at most. */
  readonly limit: number;
}

const pageMax = 1_000;
const outcomes = { done: Outcome.DONE, failed: Outcome.FAILED, refused: Outcome.REFUSED } as const;

/** Prints who steered what, newest first. */
export async function listAudit(options: AuditListOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const { actor, method, target, since, limit } = options;
  const outcome = options.outcome === undefined ? Outcome.OUTCOME_UNSPECIFIED : outcomes[options.outcome];
  const from = since === undefined ? undefined : toTimestamp(terminal.now() - since);
  const entries: AuditEntry[] = [];
  let pageToken = "";
  do {
    const pageSize = Math.min(pageMax, limit - entries.length);
    const request = { actor, method, target, from, until: undefined, pageSize, pageToken, outcome };
    const page = await client.call(client.audit.list.bind(client.audit), request);
    entries.push(...page.entries);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && entries.length < limit);
  const found = { entries, nextPageToken: pageToken };
  printList(
    options.output,
    {
      type: "sidestep.v1.ListAuditResponse",
      bytes: ListAuditResponse.encode(found).finish(),
      field: "entries",
      items: entries,
      name: ({ id }) => id,
      empty: "nothing of that is in the audit",
      columns: [
        ...timeColumn<AuditEntry>("AT", ({ at }) => at),
        { heading: "ACTOR", cell: ({ actor: who }) => who },
        { heading: "ROLE", cell: ({ role }) => role, only: "wide" },
        { heading: "METHOD", cell: ({ method: name }) => name.slice(name.lastIndexOf(".") + 1), only: "table" },
        { heading: "METHOD", cell: ({ method: name }) => name, only: "wide" },
        { heading: "TARGET", cell: ({ target: what }) => what },
        { heading: "OUTCOME", cell: outcomeText },
        { heading: "REASON", cell: ({ reason }) => reason },
      ],
    },
    terminal,
  );
  if (pageToken !== "") terminal.err(`these are the newest ${entries.length}; --limit shows more\n`);
}

function outcomeText({ outcome, code, errorReason, times }: AuditEntry): string {
  const why = errorReason === "" ? code : errorReason;
  switch (outcome) {
    case Outcome.DONE:
      return "done";
    case Outcome.FAILED:
      return `failed (${why})`;
    case Outcome.REFUSED:
      return `refused (${why})${times > 1 ? ` ${times} times` : ""}`;
    case Outcome.OUTCOME_UNSPECIFIED:
    case Outcome.UNRECOGNIZED:
      return "not known";
  }
}

function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.floor(ms - seconds * 1000) * 1_000_000 };
}
