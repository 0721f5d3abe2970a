import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Limits, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { KeyRecord, Layouts } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { buckets, fromHex, parseRunId, toRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { isVoidStart } from "../engine/limits.ts";
import { unlessAborted } from "./abort.ts";
import type { Refusal, StartRequest, StartResult } from "./front.ts";
import { currentLayout, partitionOf } from "../../../proto/wire/layout.ts";
import { keyPlace } from "./keyPlace.ts";
import type { HeldKey, Keys, LogMessage, PartitionLog, Payloads } from "./ports.ts";
import { encodeStart, prepareStart } from "./prepareStart.ts";
import type { Prepared } from "./prepareStart.ts";

/** What starting runs needs. */
export interface StartGround {
  readonly layouts: Layouts;
  readonly logOf: (partition: number) => PartitionLog;
  readonly keys: Keys;
  readonly limits: Limits;
  /** A request larger than limits.payloadBytesMax is kept apart, up to this many bytes. */
  readonly requestBytesMax: number;
  readonly payloads: Pick<Payloads, "put">;
  readonly now: () => number;
  /** Unguessable bytes. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** Messages of the log that are not behind the checkpoint; undefined: not known. */
  readonly backlog: (partition: number) => number | undefined;
  readonly backlogMax: number;
  /** Starts under way here at one time. */
  readonly startsMax: number;
  /** Told where the log of a partition has come to. */
  readonly onStored: (partition: number, sequence: number) => void;
}

/** An acknowledgement that comes later does not count: the fold holds a start void that was stored 30 s after its issue. */
const ackWithinMs = 20_000;
const orphanedKeyMs = 60_000;
const retryAfterMs = 1000;
/** Who keeps requests apart, where services stand for theirs. */
const frontDoor = "_";
const joinPatienceMs = 5000;

/** Makes runs durable. Nothing is written before the request has been decoded and its key evaluated. */
export function toStart(ground: StartGround): (request: StartRequest, signal: AbortSignal) => Promise<StartResult> {
  let underWay = 0;
  return async (request, signal) => {
    // Before any work: what is refused in a burst must cost next to nothing.
    if (underWay >= ground.startsMax) return { kind: "exhausted", retryAfterMs, of: "starts" };
    underWay += 1;
    try {
      return await startOne(ground, request, signal);
    } finally {
      underWay -= 1;
    }
  };
}

async function startOne(ground: StartGround, request: StartRequest, signal: AbortSignal): Promise<StartResult> {
  const issuedMs = ground.now();
  const prepared = prepareStart(ground.limits, request, issuedMs, { requestBytesMax: ground.requestBytesMax });
  if ("kind" in prepared) return prepared;
  try {
    const started =
      prepared.key === ""
        ? startNew(ground, prepared, randomBucket(ground), signal)
        : startKeyed(ground, prepared, signal);
    return await unlessAborted(signal, started, unavailable("the log did not say in time whether it stored the start"));
  } catch (error) {
    return { kind: "unavailable", message: error instanceof Error ? error.message : String(error) };
  }
}

async function startNew(
  ground: StartGround,
  prepared: Prepared,
  bucket: number,
  signal: AbortSignal,
): Promise<StartResult> {
  const runId = newRunId(ground, bucket, prepared.issuedMs);
  return (await append(ground, prepared, runId, signal)) ?? unavailable("a run of that id exists already");
}

/** Undefined: the run has a first event already. */
async function append(
  ground: StartGround,
  prepared: Prepared,
  runId: RunId,
  signal: AbortSignal,
): Promise<StartResult | undefined> {
  const partition = partitionOf(ground.layouts, runId);
  if (partition === undefined) return unavailable(`the run ${runId} is of an unknown layout`);
  if (isBacklogged(ground, partition)) return { kind: "exhausted", retryAfterMs };
  const { request } = prepared.request;
  const isLarge = request.length > ground.limits.payloadBytesMax;
  const requestPayload = isLarge ? await ground.payloads.put(frontDoor, runId, request, signal) : undefined;
  const event = encodeStart(prepared, runId, { parent: undefined, detachedFrom: undefined, requestPayload });
  const giveUpAtMs = prepared.issuedMs + ackWithinMs;
  const written = await ground.logOf(partition).appendFirst(runId, event, { signal, giveUpAtMs });
  switch (written.kind) {
    case "stored":
      ground.onStored(partition, written.sequence);
      return ground.now() > giveUpAtMs
        ? unavailable("the log took too long to store the start")
        : { kind: "started", runId };
    case "conflict":
      return undefined;
    case "abandoned":
      return unavailable("the log did not say in time whether it stored the start");
    case "rejected":
    case "deferred":
      return unavailable(written.reason);
  }
}

/**
 * Becomes the run of the key, or joins the one that holds it. Most keys are free: so it is taken first, which fails where somebody holds it, and nobody reads
 * it before. While too much waits to be folded nothing is taken that could not be used.
 */
async function startKeyed(ground: StartGround, prepared: Prepared, signal: AbortSignal): Promise<StartResult> {
  const { workflow } = prepared.request.active;
  const { bucket, hash } = keyPlace(workflow, prepared.key);
  const runId = newRunId(ground, bucket, prepared.issuedMs);
  const isFull = isBacklogged(ground, partitionOf(ground.layouts, runId));
  let held = isFull ? await ground.keys.read(bucket, hash) : undefined;
  if (isFull && held === undefined) return { kind: "exhausted", retryAfterMs };
  const nextPauseMs = growingPause(20, 500);
  const patientUntilMs = prepared.issuedMs + joinPatienceMs;
  for (;;) {
    if (held === undefined || (await isOrphaned(ground, held))) {
      const record: KeyRecord = { runId: fromHex(runId), workflow, requestHash: prepared.requestHash };
      const taken = await ground.keys.take(bucket, hash, record, held?.revision ?? 0, signal);
      if (taken.kind === "abandoned") return unavailable("the record of the key did not become durable in time");
      if (taken.kind === "stored") {
        const result = await append(ground, prepared, runId, signal);
        if (result !== undefined) return result;
        // Somebody with the same request has found the record, and started the run.
        held = undefined;
      } else held = taken.held;
    }
    const joined = held === undefined ? undefined : await join(ground, prepared, held, signal);
    if (joined !== undefined) return joined;
    if (signal.aborted || ground.now() > patientUntilMs)
      return unavailable("another start with the same key is under way");
    await pause(nextPauseMs(), signal);
    held = await ground.keys.read(bucket, hash);
  }
}

function isBacklogged({ backlog, backlogMax }: StartGround, partition: number | undefined): boolean {
  return partition !== undefined && (backlog(partition) ?? 0) > backlogMax;
}

/**
 * The run that the key's record names. Has it not started, and it is the same request, then it is started now, unless the record is too old for
 * that: the log takes one start of a run only, whoever was first. Undefined: its start was or would be void; the key becomes free when its record is a
 * minute old.
 */
async function join(
  ground: StartGround,
  prepared: Prepared,
  held: HeldKey,
  signal: AbortSignal,
): Promise<StartResult | undefined> {
  const runId = parseRunId(held.record.runId);
  if (runId === undefined) return unavailable("the record of the key is broken");
  const isSame =
    held.record.workflow === prepared.request.active.workflow &&
    sameHash(held.record.requestHash, prepared.requestHash);
  const started = await firstEvent(ground, runId);
  if (started === undefined) {
    // Issued when the key was taken: so it is void before another run is given the key.
    const issuedMs = Math.min(prepared.issuedMs, held.storedMs);
    const isInTime = ground.now() - issuedMs < ackWithinMs;
    return isSame && isInTime ? append(ground, { ...prepared, issuedMs }, runId, signal) : undefined;
  }
  if (isVoid(started)) return undefined;
  return isSame ? { kind: "joined", runId } : { kind: "conflict", runId };
}

/** What looking into the first event of runs needs. */
export type FirstEvents = Pick<StartGround, "layouts" | "logOf" | "now">;

/** A key is free again when its record is a minute old and its run has not started, or started too late. */
export async function isOrphaned(ground: FirstEvents, held: HeldKey): Promise<boolean> {
  if (ground.now() - held.storedMs < orphanedKeyMs) return false;
  const runId = parseRunId(held.record.runId);
  return runId === undefined || !(await hasStarted(ground, runId));
}

/** Is there a run of this id, whether it has ended or not? */
export async function hasStarted(ground: FirstEvents, runId: RunId): Promise<boolean> {
  const first = await firstEvent(ground, runId);
  return first !== undefined && !isVoid(first);
}

async function firstEvent(ground: FirstEvents, runId: RunId): Promise<LogMessage | undefined> {
  const partition = partitionOf(ground.layouts, runId);
  return partition === undefined ? undefined : ground.logOf(partition).firstEvent(runId);
}

/** The first event of a run is no start, or one that came too late. */
export function isVoid(first: LogMessage): boolean {
  return startedBy(first) === undefined;
}

/** The start that a run's first event is, or, where earlier ones are gone, has in it; undefined: there is none, or it came too late. */
export function startedBy(first: LogMessage): RunStarted | undefined {
  const { kind } = Event.decode(first.data);
  if (kind?.$case === "snapshot") return kind.value.started;
  if (kind?.$case !== "runStarted" || isVoidStart(kind.value, first.storedMs)) return undefined;
  return kind.value;
}

/** An id for a run that begins now, in any partition. */
export function nextRunId(ground: Pick<StartGround, "layouts" | "randomBytes" | "now">): RunId {
  return newRunId(ground, randomBucket(ground), ground.now());
}

function randomBucket({ randomBytes }: Pick<StartGround, "randomBytes">): number {
  const [high = 0, low = 0] = randomBytes(2);
  return (high * 256 + low) % buckets;
}

function newRunId(
  { layouts, randomBytes }: Pick<StartGround, "layouts" | "randomBytes">,
  bucket: number,
  timeMs: number,
): RunId {
  return toRunId(timeMs, currentLayout(layouts).generation, bucket, randomBytes(8));
}

function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function unavailable(message: string): Refusal {
  return { kind: "unavailable", message };
}
