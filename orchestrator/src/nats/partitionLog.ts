import { Buffer } from "node:buffer";
import { performance } from "node:perf_hooks";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { OwnerRecord } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { expectLastLine } from "../../../runtime/src/publisher.ts";
import type { AtHand, LogMessage, PartitionLog, Positions, Written } from "../processor/ports.ts";
import { batchMax } from "./directGet.ts";
import type { DirectGets } from "./directGet.ts";
import { askAgain, askJetStream, JetStreamFailure, readFromLeader } from "./jetstream.ts";
import type { JetStreamAnswer, StoredMessage, Wanted } from "./jetstream.ts";
import { readNext } from "./logNext.ts";
import type { LoneStreams } from "./loneStreams.ts";
import { openLogReader } from "./logReader.ts";
import type { Writer } from "./write.ts";
import { pause } from "../../../runtime/src/pause.ts";

/** What the logs of all partitions share. */
export interface LogAccess {
  readonly nats: Nats;
  readonly names: Names;
  readonly writer: Writer;
  readonly directGets: DirectGets;
  readonly loneStreams: Pick<LoneStreams, "has">;
  readonly log: Log;
}

/** The log of a partition, in its stream. */
export function toPartitionLog(access: LogAccess, partition: number): PartitionLog {
  const { nats, names, writer, log } = access;
  const stream = names.logStream(partition);
  const append = (
    runId: RunId,
    event: Uint8Array,
    how: {
      readonly headers: string;
      readonly id: string | undefined;
      readonly onConflict: "first" | "last";
      readonly isOurs?: (data: Uint8Array) => boolean;
    },
    limits: Parameters<Writer["write"]>[1],
  ): Promise<Written> => {
    const subject = names.eventSubject(partition, runId);
    const isOurs = (stored: StoredMessage): boolean =>
      stored.subject === subject && (sameBytes(stored.data, event) || how.isOurs?.(stored.data) === true);
    const onConflict: Wanted = { kind: how.onConflict, subject };
    return writer.write({ stream, subject, data: event, headers: how.headers, id: how.id, onConflict, isOurs }, limits);
  };
  return {
    partition,
    read: (options) => openLogReader(nats, { stream, log, ...options }),
    load: (runId, atHand) => load(access, partition, runId, atHand),
    firstEvent: (runId) =>
      readFromLeader(nats.connection, stream, { kind: "first", subject: names.eventSubject(partition, runId) }),
    positions: (runId) => readPositions(access, partition, runId),
    tail: async () => ({
      sequence: (await stateOf(nats, stream)).last_seq,
      ownerEpoch: await readOwnerEpoch(access, partition),
    }),
    append: (runId, id, event, limits) => append(runId, event, { headers: "", id, onConflict: "last" }, limits),
    appendFirst: (runId, event, limits) =>
      append(
        runId,
        event,
        { headers: expectLastLine(0), id: undefined, onConflict: "first", isOurs: (data) => sumsUp(data, event) },
        limits,
      ),
    appendAfter: (runId, expected, event, limits) =>
      append(runId, event, { headers: expectLastLine(expected), id: undefined, onConflict: "last" }, limits),
    cut: (runId, through) => cutRun(access, partition, runId, through),
    remove: (runId, from, through) => removeRun(access, partition, runId, from, through),
    firstOf: async (runId) => {
      const subject = names.runSubjects(partition, runId);
      return (await readFromLeader(nats.connection, stream, { kind: "first", subject }))?.sequence;
    },
    head: async () => (await stateOf(nats, stream)).first_seq,
    keepOwner: (through, signal) => keepOwner(access, partition, through, signal),
    cutHead: async (through) => {
      await askJetStream(nats.connection, `STREAM.PURGE.${stream}`, { seq: through + 1 });
    },
    next: (from, count, pace) => readNext(nats, stream, from, count, pace),
    writeOwner: (owner, epoch, signal) => writeOwner(access, partition, owner, epoch, signal),
    end: async () => {
      const { last_seq: lastSequence, created } = await stateOf(nats, stream);
      return { lastSequence, created };
    },
  };
}

async function stateOf(
  { connection }: Nats,
  stream: string,
): Promise<NonNullable<JetStreamAnswer["state"]> & { readonly created: string }> {
  const verb = `STREAM.INFO.${stream}`;
  const { state, created } = await askAgain(connection, verb, undefined);
  if (state === undefined || created === undefined)
    throw new JetStreamFailure(`NATS answered ${verb} without a state`, 0, true);
  return { ...state, created };
}

const loadRounds = 5;
const stalePauseMs = 10;
const keepOwnerMaxMs = 10_000;

/**
 * Both subjects of a run. Where there are replicas, any of them may answer a direct get, some 6 % of them late, so the leader's counts have to be
 * reached; after some rounds every message is read from the leader.
 */
async function load(
  access: LogAccess,
  partition: number,
  runId: RunId,
  atHand: AtHand | undefined,
): Promise<readonly LogMessage[]> {
  const { names, nats, directGets, loneStreams } = access;
  const stream = names.logStream(partition);
  const events = names.eventSubject(partition, runId);
  const outcomes = names.outcomeSubject(partition, runId);
  if (await loneStreams.has(stream)) {
    const before = atHand === undefined ? undefined : readBefore(directGets, stream, events, atHand);
    const found = [before ?? directGets.read(stream, events, 1), directGets.read(stream, outcomes, 1)];
    return inOrder((await Promise.all(found)).flat());
  }
  const subjects = [events, outcomes];
  const readAll = (): Promise<readonly (readonly LogMessage[])[]> =>
    Promise.all(subjects.map((subject) => directGets.read(stream, subject, 1)));
  for (let round = 0; round < loadRounds; round++) {
    const [counts, found] = await Promise.all([countsOf(access, partition, runId), readAll()]);
    if (await isWhole(nats, stream, subjects, counts, found)) return inOrder(found.flat());
    await pause(stalePauseMs);
  }
  const read = await Promise.all(subjects.map((subject) => readAllFromLeader(nats, stream, subject)));
  return inOrder(read.flat());
}

/**
 * The events of a run before those at hand, and maybe some of these. The first message of a subject, and how many there are, nats-server knows; for each
 * other one it reads all that lies between, in a block of the log that is locked meanwhile. So what is at hand is not looked for: a run that
 * has only waited has nothing but its start before it.
 */
async function readBefore(
  directGets: DirectGets,
  stream: string,
  subject: string,
  atHand: AtHand,
): Promise<readonly LogMessage[]> {
  const { messages, pending } = await directGets.readFirst(stream, subject, 1);
  const [first] = messages;
  // What is removed of a subject goes in its order: behind the first one nothing at hand is gone.
  if (first === undefined || first.sequence >= atHand.from) return [];
  // Others may have come since, and count as well.
  const before = pending + 1 - atHand.events;
  if (before === 1) return messages;
  if (before < 1 || before > batchMax) return directGets.read(stream, subject, 1);
  const read = await directGets.readFirst(stream, subject, before);
  const last = read.messages.at(-1);
  // What is large comes in several answers.
  if (last === undefined || read.messages.length >= before || read.pending === 0) return read.messages;
  return [...read.messages, ...(await directGets.read(stream, subject, last.sequence + 1))];
}

/**
 * Is it all that the leader counted? More than that is so when messages have come since; but when some have been cut since, a late replica may
 * show more, and lack the last.
 */
async function isWhole(
  nats: Nats,
  stream: string,
  subjects: readonly string[],
  counts: Readonly<Record<string, number>>,
  found: readonly (readonly LogMessage[])[],
): Promise<boolean> {
  for (const [i, subject] of subjects.entries()) {
    const messages = found[i] ?? [];
    const [first] = messages;
    const more = messages.length - (counts[subject] ?? 0);
    if (more < 0) return false;
    if (more === 0 || first === undefined) continue;
    const stands = await readFromLeader(nats.connection, stream, { kind: "first", subject });
    if (stands?.sequence !== first.sequence) return false;
  }
  return true;
}

async function countsOf(
  { nats, names }: LogAccess,
  partition: number,
  runId: RunId,
): Promise<Readonly<Record<string, number>>> {
  const filter = names.eventSubject(partition, runId).replace(/e$/, "*");
  const request = { subjects_filter: filter };
  const { state } = await askAgain(nats.connection, `STREAM.INFO.${names.logStream(partition)}`, request);
  return state?.subjects ?? {};
}

async function readAllFromLeader(nats: Nats, stream: string, subject: string): Promise<readonly LogMessage[]> {
  const messages: LogMessage[] = [];
  for (let from = 1; ;) {
    const message = await readFromLeader(nats.connection, stream, { kind: "first", subject, from });
    if (message === undefined) return messages;
    messages.push(message);
    from = message.sequence + 1;
  }
}

function inOrder(messages: readonly LogMessage[]): readonly LogMessage[] {
  return messages.toSorted((a, b) => a.sequence - b.sequence);
}

async function readPositions(access: LogAccess, partition: number, runId: RunId): Promise<Positions> {
  const { nats, names } = access;
  const stream = names.logStream(partition);
  const last = (subject: string): Promise<StoredMessage | undefined> =>
    readFromLeader(nats.connection, stream, { kind: "last", subject });
  const [event, outcome] = await Promise.all([
    last(names.eventSubject(partition, runId)),
    last(names.outcomeSubject(partition, runId)),
  ]);
  const ownerEpoch = await readOwnerEpoch(access, partition);
  return { event: event?.sequence ?? 0, outcome: outcome?.sequence ?? 0, ownerEpoch };
}

async function readOwnerEpoch({ nats, names }: LogAccess, partition: number): Promise<number> {
  const subject = names.ownerSubject(partition);
  const owner = await readFromLeader(nats.connection, names.logStream(partition), { kind: "last", subject });
  return owner === undefined ? 0 : OwnerRecord.decode(owner.data).epoch;
}

async function writeOwner(
  { nats, names, writer }: LogAccess,
  partition: number,
  owner: string,
  epoch: number,
  signal: AbortSignal,
): Promise<Written> {
  const stream = names.logStream(partition);
  const subject = names.ownerSubject(partition);
  const data = OwnerRecord.encode({ owner, epoch }).finish();
  const isOurs = (stored: StoredMessage): boolean => sameBytes(stored.data, data);
  while (!signal.aborted) {
    const stands = await readFromLeader(nats.connection, stream, { kind: "last", subject }).catch((error: unknown) => {
      if (error instanceof JetStreamFailure && error.isPassing) return "unknown" as const;
      throw error;
    });
    if (stands === "unknown") {
      await pause(stalePauseMs * 10, signal);
      continue;
    }
    if (stands !== undefined && isOurs(stands)) return { kind: "stored", sequence: stands.sequence };
    if (stands !== undefined && OwnerRecord.decode(stands.data).epoch >= epoch) return { kind: "conflict" };
    const headers = expectLastLine(stands?.sequence ?? 0);
    const written = await writer.write(
      { stream, subject, data, headers, id: undefined, onConflict: { kind: "last", subject }, isOurs },
      { signal },
    );
    if (written.kind !== "conflict") return written;
  }
  return { kind: "abandoned" };
}

/** Whoever's record it is: by compare-and-set, so that it is never behind that of a later owner. */
async function keepOwner(
  { nats, names, writer }: LogAccess,
  partition: number,
  through: number,
  signal: AbortSignal,
): Promise<void> {
  const stream = names.logStream(partition);
  const subject = names.ownerSubject(partition);
  const stands = await readFromLeader(nats.connection, stream, { kind: "last", subject });
  if (stands === undefined || stands.sequence > through) return;
  const { data } = stands;
  const headers = expectLastLine(stands.sequence);
  const onConflict: Wanted = { kind: "last", subject };
  const isOurs = (stored: StoredMessage): boolean => sameBytes(stored.data, data);
  const written = await writer.write(
    { stream, subject, data, headers, id: undefined, onConflict, isOurs },
    { signal, giveUpAtMs: Date.now() + keepOwnerMaxMs },
  );
  if (written.kind !== "stored" || written.sequence <= through)
    throw new JetStreamFailure(`the owner's record in ${stream} can't be kept now: ${written.kind}`, 0, true);
}

/** Positions that one purge goes over: it blocks the stream, by some 10 ms for each block that it has to read. */
const cutSpan = 50_000;

/**
 * Purges step by step: each reaches a few blocks only, and others write in between, for as long as they had to wait: where many long runs share a
 * log, cutting takes at most half of it.
 */
async function cutRun({ nats, names }: LogAccess, partition: number, runId: RunId, through: number): Promise<void> {
  const { connection } = nats;
  const stream = names.logStream(partition);
  for (const subject of [names.eventSubject(partition, runId), names.outcomeSubject(partition, runId)]) {
    for (;;) {
      const first = await readFromLeader(connection, stream, { kind: "first", subject });
      if (first === undefined || first.sequence > through) break;
      const seq = Math.min(through, first.sequence + cutSpan) + 1;
      const askedMs = performance.now();
      await askJetStream(connection, `STREAM.PURGE.${stream}`, { filter: subject, seq });
      await pause(performance.now() - askedMs);
    }
  }
}

/** The same of all that a run has, both subjects at once: what is close together goes in one request. */
async function removeRun(
  { nats, names }: LogAccess,
  partition: number,
  runId: RunId,
  from: number,
  through: number,
): Promise<void> {
  const { connection } = nats;
  const stream = names.logStream(partition);
  const filter = names.runSubjects(partition, runId);
  const subjects = [names.eventSubject(partition, runId), names.outcomeSubject(partition, runId)];
  for (let first = from; first <= through;) {
    const upTo = Math.min(through, first + cutSpan);
    await askJetStream(connection, `STREAM.PURGE.${stream}`, { filter, seq: upTo + 1 });
    if (upTo === through) return;
    const next = await Promise.all(
      subjects.map((subject) => readFromLeader(connection, stream, { kind: "first", subject, from: upTo + 1 })),
    );
    first = Math.min(...next.map((message) => message?.sequence ?? Infinity));
  }
}

/** Is it a Snapshot of the run that this start began? */
function sumsUp(data: Uint8Array, start: Uint8Array): boolean {
  const { kind } = Event.decode(data);
  if (kind?.$case !== "snapshot" || kind.value.started === undefined) return false;
  return sameBytes(Event.encode({ kind: { $case: "runStarted", value: kind.value.started } }).finish(), start);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
