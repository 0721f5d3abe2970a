import type { TriggerRecord } from "../../../proto/gen/sidestep/internal/v1/trigger.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { forget } from "./contractTriggers.ts";
import type { EventOutcome } from "./eventStart.ts";
import type { EventStreams, Lag, Parked, ParkedStore } from "./eventStreams.ts";
import { placeOf } from "./takeEvent.ts";
import type { TakeEvent } from "./takeEvent.ts";
import type { TriggerStore } from "./triggerStore.ts";

/** A trigger, and what waits for it. */
export interface ShownTrigger {
  readonly record: TriggerRecord;
  readonly lag: Lag;
  readonly parked: number;
}

/** Who asks for a change, and why. */
export interface TriggerAsked {
  readonly actor: string;
  readonly reason: string;
}

/** Which parked messages are meant. */
export type WhichParked = { readonly kind: "ids"; readonly ids: readonly string[] } | { readonly kind: "all" };

/** Why something was not done. */
export type TriggerRefusal =
  | { readonly kind: "unknown" }
  /** The contract has it. */
  | { readonly kind: "active" }
  /** Nobody can say now. */
  | { readonly kind: "unavailable"; readonly message: string };

/** What became of a parked message that was tried again. */
export interface RetriedMessage {
  readonly id: string;
  /** `gone`: it is parked no more, or its stream has it no more. */
  readonly outcome: EventOutcome | { readonly kind: "gone" };
}

type Shown = { readonly kind: "shown" } & ShownTrigger;

/** What people ask of triggers. Expected failures are results; asking again is safe. */
export interface Triggers {
  /** By id. */
  list(): Promise<{ readonly kind: "list"; readonly triggers: readonly ShownTrigger[] } | TriggerRefusal>;
  describe(id: string): Promise<Shown | TriggerRefusal>;
  pause(id: string, asked: TriggerAsked): Promise<Shown | TriggerRefusal>;
  resume(id: string): Promise<Shown | TriggerRefusal>;
  /** In the order of parking; `next` is set when there may be more. */
  parked(
    id: string,
    after: number,
    limit: number,
  ): Promise<
    { readonly kind: "parked"; readonly parked: readonly Parked[]; readonly next: number | undefined } | TriggerRefusal
  >;
  /** Takes them as if they came now; what is taken is parked no more. `more`: there may be others. */
  retry(
    id: string,
    which: WhichParked,
    signal: AbortSignal,
  ): Promise<
    { readonly kind: "retried"; readonly retried: readonly RetriedMessage[]; readonly more: boolean } | TriggerRefusal
  >;
  drop(id: string, which: WhichParked): Promise<{ readonly kind: "dropped"; readonly count: number } | TriggerRefusal>;
  /** Forgets one that is retired, with all that waits for it. */
  remove(id: string): Promise<{ readonly kind: "removed" } | TriggerRefusal>;
}

export interface TriggersGround {
  readonly store: TriggerStore;
  readonly streams: EventStreams;
  readonly parked: ParkedStore;
  readonly take: TakeEvent;
  readonly now: () => number;
  readonly logger: Log;
}

const rounds = 8;
/** Parked messages that one asking tries again. */
const retriedMax = 200;
const untilCompleteMs = 5_000;
const noLag: Lag = { waiting: 0, inHands: 0 };

/** Over records, streams and what is parked. */
export function toTriggers(ground: TriggersGround): Triggers {
  const { store, streams, parked, now } = ground;
  return {
    list: () => orUnavailable(() => listAll(ground)),
    describe: (id) =>
      orUnavailable(async () => {
        const { record } = await store.read(id);
        return record === undefined ? { kind: "unknown" } : shown(ground, record);
      }),
    pause: (id, { actor, reason }) =>
      orUnavailable(() => change(ground, id, (record) => ({ ...record, paused: { actor, reason, sinceMs: now() } }))),
    resume: (id) =>
      orUnavailable(() =>
        change(ground, id, (record) => (record.paused === undefined ? record : { ...record, paused: undefined })),
      ),
    parked: (id, after, limit) =>
      orUnavailable(async () => {
        const found = await parked.page(id, after, limit);
        const next = found.length < limit ? undefined : found.at(-1)?.position;
        const messages = await Promise.all(found.map((one) => whole(streams, one)));
        return { kind: "parked", parked: messages, next };
      }),
    retry: (id, which, signal) => orUnavailable(() => retry(ground, id, which, signal)),
    drop: (id, which) => orUnavailable(() => drop(ground, id, which)),
    remove: (id) =>
      orUnavailable(async () => {
        const { record } = await store.read(id);
        if (record === undefined) return { kind: "unknown" };
        if (record.retiredMs === undefined) return { kind: "active" };
        const isGone = await forget(ground, id);
        return isGone ? { kind: "removed" } : { kind: "unavailable", message: "others change the trigger" };
      }),
  };
}

async function orUnavailable<T>(ask: () => Promise<T | TriggerRefusal>): Promise<T | TriggerRefusal> {
  try {
    return await ask();
  } catch (error) {
    return { kind: "unavailable", message: errorText(error) };
  }
}

async function listAll(ground: TriggersGround): ReturnType<Triggers["list"]> {
  const { store, parked } = ground;
  const giveUp = AbortSignal.timeout(untilCompleteMs);
  while (!store.isComplete() && !giveUp.aborted) await pause(50, giveUp);
  if (!store.isComplete()) return { kind: "unavailable", message: "not all triggers have been heard of yet" };
  const counts = await parked.counts();
  const records = store.all().map(({ record }) => record);
  const triggers: ShownTrigger[] = [];
  for (const record of records.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
    triggers.push({
      record,
      lag: await lagOf(ground, record),
      parked: counts.get(parked.tokenOf(record.id)) ?? 0,
    });
  return { kind: "list", triggers };
}

async function shown(ground: TriggersGround, record: TriggerRecord): Promise<Shown> {
  const counts = await ground.parked.counts();
  const parked = counts.get(ground.parked.tokenOf(record.id)) ?? 0;
  return { kind: "shown", record, lag: await lagOf(ground, record), parked };
}

/** Of both of its consumers. */
async function lagOf({ streams }: Pick<TriggersGround, "streams">, { id, stream }: TriggerRecord): Promise<Lag> {
  const inbox = (await streams.lagOf({ trigger: id, stream: "" })) ?? noLag;
  if (stream === "") return inbox;
  const other = (await streams.lagOf({ trigger: id, stream })) ?? noLag;
  return { waiting: inbox.waiting + other.waiting, inHands: inbox.inHands + other.inHands };
}

async function change(
  ground: TriggersGround,
  id: string,
  how: (record: TriggerRecord) => TriggerRecord,
): Promise<Shown | TriggerRefusal> {
  const nextPauseMs = growingPause(20, 500);
  for (let round = 0; round < rounds; round++) {
    const { record, revision } = await ground.store.read(id);
    if (record === undefined) return { kind: "unknown" };
    const next = how(record);
    if (next === record || (await ground.store.write(next, revision)).kind === "held") return shown(ground, next);
    await pause(nextPauseMs());
  }
  return { kind: "unavailable", message: "others change the trigger all the time" };
}

async function retry(
  ground: TriggersGround,
  id: string,
  which: WhichParked,
  signal: AbortSignal,
): ReturnType<Triggers["retry"]> {
  const { store, parked } = ground;
  const { record } = await store.read(id);
  if (record === undefined) return { kind: "unknown" };
  const found = which.kind === "all" ? await parked.page(id, 0, retriedMax) : await readAll(parked, id, which.ids);
  const retried: RetriedMessage[] = [];
  for (const one of found) {
    if (signal.aborted) return { kind: "retried", retried, more: true };
    retried.push(
      typeof one === "string" ? { id: one, outcome: { kind: "gone" } } : await retryOne(ground, one, signal),
    );
  }
  return { kind: "retried", retried, more: which.kind === "all" && found.length === retriedMax };
}

function readAll(parked: ParkedStore, trigger: string, ids: readonly string[]): Promise<readonly (Parked | string)[]> {
  return Promise.all(ids.map(async (id) => (await parked.read(trigger, id)) ?? id));
}

/** A crash between the two: it is parked still, and taking it again comes to the same run. */
async function retryOne(ground: TriggersGround, given: Parked, signal: AbortSignal): Promise<RetriedMessage> {
  const { parked: store, streams, take, now } = ground;
  const { id } = given;
  const { parked } = await whole(streams, given);
  if (parked.elsewhere) return { id, outcome: { kind: "gone" } };
  const { trigger, payload, headers } = parked;
  const slash = trigger.lastIndexOf("/");
  const event = {
    workflow: trigger.slice(0, slash),
    trigger: trigger.slice(slash + 1),
    message: { data: payload, headers: new Map(headers.map(({ name, value }) => [name, value])) },
    place: placeOf(parked),
  };
  const outcome = await take(event, signal);
  switch (outcome.kind) {
    case "started":
    case "joined":
    case "signalled":
    case "unwanted":
      await store.remove(trigger, id);
      break;
    case "garbage": {
      const { code, reason } = outcome;
      await store.put(id, { ...given.parked, code, reason, parkedMs: now(), times: parked.times + 1 });
      break;
    }
    case "early":
    case "later":
      break;
  }
  return { id, outcome };
}

/** With its bytes, as long as some stream has them. */
async function whole(streams: Pick<EventStreams, "read">, given: Parked): Promise<Parked> {
  const { parked } = given;
  if (!parked.elsewhere) return given;
  const message = await streams.read(parked.stream, parked.sequence);
  if (message === undefined) return given;
  const headers = [...message.headers].map(([name, value]) => ({ name, value }));
  return { ...given, parked: { ...parked, headers, payload: Buffer.from(message.data), elsewhere: false } };
}

async function drop({ store, parked }: TriggersGround, id: string, which: WhichParked): ReturnType<Triggers["drop"]> {
  if ((await store.read(id)).record === undefined) return { kind: "unknown" };
  if (which.kind === "all") return { kind: "dropped", count: await parked.removeAll(id) };
  let count = 0;
  for (const one of which.ids) {
    if ((await parked.read(id, one)) === undefined) continue;
    await parked.remove(id, one);
    count++;
  }
  return { kind: "dropped", count };
}
