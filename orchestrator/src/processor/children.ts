import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { ParentStep } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { childRunId } from "../../../proto/wire/childRunId.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import { fromHex, parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { toStatus } from "../engine/failure.ts";
import type { StartChild, StopChild, TellParent } from "../engine/command.ts";
import { aboutRun } from "./aboutRun.ts";
import { chain } from "./chain.ts";
import { prepareChild } from "./childStart.ts";
import type { Ownership } from "./ownership.ts";
import type { PartitionLog, Written } from "./ports.ts";
import { untilRead } from "./reading.ts";
import type { ResidentRun } from "./residentRun.ts";
import { startedBy } from "./start.ts";
import { afterWrite, deferAfterMs, holdWhile, settle } from "./settle.ts";
import type { Carry } from "./settle.ts";

/** What became of something that takes several writes. */
type End = "done" | "abandoned";

/** A child at hand: its id, its log and the step that it is of. */
interface Child {
  readonly id: RunId;
  readonly log: PartitionLog;
  readonly parent: ParentStep;
}

/**
 * Starts a child. The first message of its log decides for good whether there is one: its RunStarted, or a ChildRefused. So carrying this out again,
 * by whomever and whatever has been deployed meanwhile, leads to the same.
 */
export function startChild(owner: Ownership, run: ResidentRun, command: StartChild, carry: Carry): void {
  const child = toChild(owner, run, command);
  const started = chain(run, child.id, () => begin(owner, run, command, carry, child));
  holdWhile(owner, run, carry.hold, started);
}

/** Cancels or terminates a child behind its start; one that has not started by then never does. */
export function stopChild(owner: Ownership, run: ResidentRun, command: StopChild, { hold }: Carry): void {
  const child = toChild(owner, run, command);
  const stopped = chain(run, child.id, () => stop(owner, run, command, hold, child));
  holdWhile(owner, run, hold, stopped);
}

/** The end of a child, in the log of the run that waits for it. */
export function tellParent(owner: Ownership, run: ResidentRun, { parent, ended }: TellParent, { hold }: Carry): void {
  const parentId = parseRunId(parent.runId);
  const partition = parentId === undefined ? undefined : partitionOf(owner.layouts, parentId);
  if (parentId === undefined || partition === undefined) {
    owner.logger.error("a run has a parent that can't be", { ...aboutRun(run), parentId });
    return;
  }
  const step = { step: parent.step, generation: parent.generation };
  const value = { step, runId: fromHex(run.runId), ended };
  const event = Event.encode({ kind: { $case: "childEnded", value } }).finish();
  const { signal } = owner;
  settle(owner, run, hold, owner.logOf(partition).append(parentId, `${run.runId}/ended`, event, { signal }), undefined);
}

function toChild(owner: Ownership, run: ResidentRun, { at }: StartChild | StopChild): Child {
  const id = childRunId(run.runId, at.step, at.generation);
  const partition = partitionOf(owner.layouts, id);
  if (partition === undefined) throw new Error(`No layout has the child ${id} of ${run.runId}.`);
  return { id, log: owner.logOf(partition), parent: { runId: fromHex(run.runId), ...at } };
}

async function begin(
  owner: Ownership,
  run: ResidentRun,
  command: StartChild,
  { hold, atMs, recheck }: Carry,
  child: Child,
): Promise<End> {
  // What is deployed may be another version by now, with another key: of what has been started no second key is taken.
  const decided = recheck ? await answerFirst(owner, run, command, hold, child) : undefined;
  if (decided !== undefined) return decided;
  const prepared = await prepareChild(owner, run, command, atMs, child.id, child.parent);
  switch (prepared.kind) {
    case "refused":
      return refuse(owner, run, command, hold, child, prepared.status);
    case "later":
      return afterWrite(owner, run, hold, { kind: "deferred", reason: prepared.reason }, failed(command));
    case "abandoned":
      return "abandoned";
    case "start":
      break;
  }
  const limits = { signal: owner.signal, deferAfterMs };
  const written = await child.log.appendFirst(child.id, prepared.event, limits);
  return afterFirst(owner, run, command, hold, child, written);
}

/** A refusal takes the place of the start, so that no other try of the start can come after it. */
async function refuse(
  owner: Ownership,
  run: ResidentRun,
  command: StartChild | StopChild,
  hold: number,
  child: Child,
  status: RpcStatus,
): Promise<End> {
  const { parent, log, id } = child;
  const step = { step: parent.step, generation: parent.generation };
  const event = Event.encode({ kind: { $case: "childRefused", value: { step, status } } }).finish();
  const written = await log.appendFirst(id, event, { signal: owner.signal });
  return afterFirst(owner, run, command, hold, child, written);
}

async function afterFirst(
  owner: Ownership,
  run: ResidentRun,
  command: StartChild | StopChild,
  hold: number,
  child: Child,
  written: Written,
): Promise<End> {
  if (written.kind !== "stored" && written.kind !== "conflict")
    return afterWrite(owner, run, hold, written, failed(command));
  return (await answerFirst(owner, run, command, hold, child)) ?? "done";
}

/** Does what the first message of the child's log asks for; undefined: there is none. */
async function answerFirst(
  owner: Ownership,
  run: ResidentRun,
  command: StartChild | StopChild,
  hold: number,
  child: Child,
): Promise<End | undefined> {
  const first = await untilRead(owner, "the start of a child", () => child.log.firstEvent(child.id));
  if (first === undefined) return undefined;
  if (startedBy(first) !== undefined) return onStarted(owner, run, command, hold, child);
  const { kind } = Event.decode(first.data);
  const status = kind?.$case === "childRefused" ? kind.value.status : undefined;
  const value = { step: command.at, status: status ?? toStatus(code.INTERNAL, "the child's log begins with no start") };
  const event = Event.encode({ kind: { $case: "childRefused", value } }).finish();
  return appendOwn(owner, run, hold, `${child.id}/refused`, event);
}

async function onStarted(
  owner: Ownership,
  run: ResidentRun,
  command: StartChild | StopChild,
  hold: number,
  child: Child,
): Promise<End> {
  if (command.kind === "stopChild") return tellStop(owner, run, command, hold, child);
  if (!command.detach) return "done";
  const value = { step: command.at, runId: fromHex(child.id) };
  const event = Event.encode({ kind: { $case: "childStarted", value } }).finish();
  return appendOwn(owner, run, hold, `${child.id}/started`, event);
}

async function appendOwn(
  owner: Ownership,
  run: ResidentRun,
  hold: number,
  id: string,
  event: Uint8Array,
): Promise<End> {
  const written = await owner.log.append(run.runId, id, event, { signal: owner.signal });
  return afterWrite(owner, run, hold, written, undefined);
}

async function stop(owner: Ownership, run: ResidentRun, command: StopChild, hold: number, child: Child): Promise<End> {
  const known = await answerFirst(owner, run, command, hold, child);
  if (known !== undefined) return known;
  return refuse(owner, run, command, hold, child, toStatus(code.CANCELLED, command.reason));
}

async function tellStop(
  owner: Ownership,
  run: ResidentRun,
  { at, how, reason }: StopChild,
  hold: number,
  child: Child,
): Promise<End> {
  const requestId = `${run.runId}/${at.step}/g${at.generation}/${how}`;
  const value = { reason, actor: "", requestId };
  const event = Event.encode({
    kind: how === "cancel" ? { $case: "cancelRequested", value } : { $case: "terminateRequested", value },
  }).finish();
  const written = await child.log.append(child.id, `${child.id}/request/${requestId}`, event, { signal: owner.signal });
  return afterWrite(owner, run, hold, written, undefined);
}

function failed(command: StartChild | StopChild): { readonly $case: "child"; readonly value: StartChild["at"] } {
  return { $case: "child", value: command.at };
}
