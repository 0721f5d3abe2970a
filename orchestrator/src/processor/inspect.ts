import type { Event, PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Layouts } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { advance } from "../engine/advance.ts";
import type { Turn } from "../engine/advance.ts";
import { describeRun } from "../engine/describe.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { resume, startIn } from "../engine/snapshot/resume.ts";
import { shownBytes } from "../engine/redact.ts";
import type { RunState } from "../engine/state.ts";
import type { Credentials } from "./credentials.ts";
import { toFact } from "./fact.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import type { Inspected } from "./front.ts";
import { withPayloads } from "./loading.ts";
import type { LogMessage, PartitionLog, Payloads, Plans } from "./ports.ts";

/** What looking into a run needs; its partition may be anybody's. */
export interface InspectGround {
  readonly layouts: Layouts;
  readonly logOf: (partition: number) => PartitionLog;
  readonly plans: Plans;
  readonly payloads: Pick<Payloads, "get">;
  readonly credentials: Credentials;
}

/** A run folded from its log, as far as that goes now. */
export interface Folded {
  readonly plan: LoadedPlan;
  readonly state: RunState;
  /** Of its last record. */
  readonly sequence: number;
}

/**
 * The run as its log adds up, without what is declared `debug_redact`; `response` is the whole answer, for who waits for it. Undefined: there is
 * none. Throws when NATS does not answer.
 */
export async function inspectRun(ground: InspectGround, runId: RunId): Promise<Inspected | undefined> {
  const folded = await readState(ground, runId);
  return folded === undefined ? undefined : showState(ground, folded);
}

/** A folded run as it is shown. */
export async function showState(ground: InspectGround, { plan, state, sequence }: Folded): Promise<Inspected> {
  const run = describeRun(plan, state);
  const { requestType, responseType } = plan.plan;
  const request = await kept(ground, state.started?.requestPayload);
  const response = await kept(ground, state.ended?.responsePayload);
  const shown = {
    ...run,
    request: request === undefined ? run.request : shownBytes(plan.registry, requestType, request),
    response: response === undefined ? run.response : shownBytes(plan.registry, responseType, response),
  };
  return {
    run: shown,
    plan,
    sequence,
    revision: state.started?.engineRevision ?? 0,
    response: response ?? state.ended?.response ?? new Uint8Array(),
  };
}

async function kept({ payloads }: InspectGround, ref: PayloadRef | undefined): Promise<Uint8Array | undefined> {
  return ref === undefined ? undefined : payloads.get(ref);
}

/** The state that the run's log adds up to; undefined: there is no such run. Throws when NATS does not answer. */
export async function readState(ground: InspectGround, runId: RunId): Promise<Folded | undefined> {
  const folded = await fold(ground, runId, () => undefined);
  return folded === undefined || isHidden(folded.state) ? undefined : folded;
}

/** It never began, or somebody has asked for it to be deleted. */
export function isHidden({ phase, deleting }: RunState): boolean {
  return phase === "void" || deleting !== undefined;
}

/**
 * Ids of requests that have changed the run: that one, and those that begin with it and a dot. Of what a Snapshot sums up, those that the run still
 * remembers. Throws when NATS does not answer.
 */
export async function takenBy(ground: InspectGround, runId: RunId, requestId: string): Promise<readonly string[]> {
  const taken = new Set<string>();
  const note = (id: string): void => {
    if (id === requestId || id.startsWith(`${requestId}.`)) taken.add(id);
  };
  const folded = await fold(ground, runId, (_plan, _state, { fact }, turn) => {
    const id = fact.kind === "event" && !turn.ignored ? requestIdOf(fact.event) : undefined;
    if (id !== undefined) note(id);
  });
  for (const id of folded?.state.requests ?? []) note(id);
  for (const id of folded?.state.signalIds ?? []) note(id);
  return [...taken];
}

function requestIdOf({ kind }: Event): string | undefined {
  if (kind?.$case === "signalReceived") return kind.value.id;
  const value: object | undefined = kind?.value;
  return value !== undefined && "requestId" in value ? String(value.requestId) : undefined;
}

/** What the log has of a run. */
export interface ReadRecords {
  /** The one it is pinned to. */
  readonly plan: LoadedPlan;
  readonly records: readonly LogRecord[];
  /** All of it, what is no record of ours among it. */
  readonly messages: readonly LogMessage[];
}

/** All records of a run and the plan it is pinned to. Throws when NATS does not answer. */
export async function readRecords(ground: InspectGround, runId: RunId): Promise<ReadRecords | undefined> {
  const read = await readWithoutPayloads(ground, runId);
  return read && { ...read, records: await withPayloads(ground.payloads, read.plan, read.records) };
}

/** The same without what is kept apart. */
export async function readWithoutPayloads(
  { layouts, logOf, plans, credentials }: Omit<InspectGround, "payloads">,
  runId: RunId,
): Promise<ReadRecords | undefined> {
  const partition = partitionOf(layouts, runId);
  if (partition === undefined) return undefined;
  const messages = await logOf(partition).load(runId);
  const records = messages.flatMap((message) => {
    const fact = toFact(message, credentials);
    return fact.kind === "record" ? [fact.record] : [];
  });
  const started = startIn(records);
  const plan = started === undefined ? undefined : await plans.load(started.planHash);
  return plan && { plan, records, messages };
}

async function fold(
  ground: InspectGround,
  runId: RunId,
  onTurn: (plan: LoadedPlan, state: RunState, record: LogRecord, turn: Turn) => void,
): Promise<Folded | undefined> {
  const found = await readRecords(ground, runId);
  if (found === undefined) return undefined;
  const { plan, records } = found;
  const { state, records: rest } = resume(plan, runId, records);
  for (const record of rest) onTurn(plan, state, record, advance(plan, state, record));
  return { plan, state, sequence: records.at(-1)?.sequence ?? 0 };
}
