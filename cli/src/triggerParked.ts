import {
  ListParkedResponse,
  retriedEvent_OutcomeToJSON,
  RetriedEvent_Outcome as Outcome,
  RetryParkedResponse,
} from "../../proto/gen/sidestep/v1/triggers.ts";
import type { ParkedEvent, RetriedEvent } from "../../proto/gen/sidestep/v1/triggers.ts";
import { CliFailure, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ListForm } from "./listForm.ts";
import { printList, timeColumn } from "./listing.ts";
import type { Column } from "./listing.ts";
import type { Terminal } from "./terminal.ts";

/** Which parked messages are meant. */
export interface WhichOptions {
  readonly address: string;
  readonly all: boolean;
  readonly reason: string;
}

const pageSize = 100;
/** A retry takes as long as its runs take to become durable. */
const retryTimeoutMs = 30_000;

/** Prints what a trigger can't take. */
export async function listParked(
  triggerId: string,
  { address, output, payload }: { readonly address: string; readonly output: ListForm; readonly payload: boolean },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(address);
  const events: ParkedEvent[] = [];
  const columns: readonly Column<ParkedEvent>[] = [
    { heading: "PARKED", cell: ({ parkedId }) => parkedId },
    ...timeColumn<ParkedEvent>("SINCE", ({ parkedAt }) => parkedAt),
    { heading: "SUBJECT", cell: ({ subject }) => subject },
    { heading: "STREAM", cell: ({ stream, sequence }) => `${stream} ${sequence}`, only: "wide" },
    { heading: "TRIED", cell: ({ times }) => String(times), only: "wide" },
    { heading: "CODE", cell: ({ code }) => code },
    { heading: "REASON", cell: ({ reason }) => reason },
    ...(payload ? [{ heading: "PAYLOAD", cell: payloadText }] : []),
  ];
  for (let pageToken = ""; ;) {
    const asked = { triggerId, pageSize, pageToken };
    const answer = await client.call(client.triggers.listParked.bind(client.triggers), asked);
    events.push(...answer.events);
    pageToken = answer.nextPageToken;
    if (pageToken === "") break;
  }
  printList(
    output,
    {
      type: "sidestep.v1.ListParkedResponse",
      bytes: ListParkedResponse.encode({ events, nextPageToken: "" }).finish(),
      field: "events",
      items: events,
      name: ({ parkedId }) => parkedId,
      empty: `nothing is parked of ${triggerId}`,
      columns,
    },
    terminal,
  );
}

/** As text where it is one, else as base64. */
function payloadText({ payload }: Pick<ParkedEvent, "payload">): string {
  const bytes = Buffer.from(payload);
  const text = bytes.toString("utf8");
  return /^[\t\n\r\u0020-\u007e\u00a0-\u{10ffff}]*$/u.test(text) && !text.includes("\ufffd")
    ? text
    : bytes.toString("base64");
}

/** Tries parked messages again, and prints what became of each. */
export async function retryParked(
  triggerId: string,
  ids: readonly string[],
  { address, all, reason, output }: WhichOptions & { readonly output: "table" | "json" },
  terminal: Terminal,
): Promise<void> {
  checkWhich(ids, all);
  using client = openFrontClient(address);
  const asked = { triggerId, parkedIds: [...ids], reason };
  const retry = client.triggers.retryParked.bind(client.triggers);
  // What still can't be taken is parked anew, behind the others: an answer is not asked for twice.
  const { events, more } = await client.call(retry, asked, retryTimeoutMs);
  printList(
    output,
    {
      type: "sidestep.v1.RetryParkedResponse",
      bytes: RetryParkedResponse.encode({ events, more }).finish(),
      field: "events",
      items: events,
      name: ({ parkedId }) => parkedId,
      empty: `nothing is parked of ${triggerId}`,
      columns: [
        { heading: "PARKED", cell: ({ parkedId }) => parkedId },
        { heading: "CAME TO", cell: ({ outcome }) => retriedEvent_OutcomeToJSON(outcome).toLowerCase() },
        { heading: "RUN", cell: ({ runId }) => runId },
        { heading: "REASON", cell: ({ reason: why }) => why },
      ],
    },
    terminal,
  );
  if (more) terminal.err("there may be more: retry again\n");
  const left = events.filter(isLeft).length;
  if (left > 0) {
    const next = `sidestep trigger parked ${triggerId}`;
    throw new CliFailure(exit.error, `${left} of ${events.length} are parked still`, address, next);
  }
}

function isLeft({ outcome }: RetriedEvent): boolean {
  return outcome === Outcome.PARKED || outcome === Outcome.AGAIN;
}

/** Throws parked messages away. */
export async function dropParked(
  triggerId: string,
  ids: readonly string[],
  { address, all, reason }: WhichOptions,
  terminal: Terminal,
): Promise<void> {
  checkWhich(ids, all);
  using client = openFrontClient(address);
  const asked = { triggerId, parkedIds: [...ids], reason };
  const { dropped } = await client.call(client.triggers.dropParked.bind(client.triggers), asked);
  terminal.err(`${dropped} parked ${dropped === 1 ? "message is" : "messages are"} thrown away\n`);
}

function checkWhich(ids: readonly string[], all: boolean): void {
  if (ids.length > 0 !== all) return;
  const what = all ? "--all and ids of parked messages exclude each other" : "which parked messages?";
  throw new CliFailure(exit.usage, what, "the command line", "name their ids, or give --all");
}
