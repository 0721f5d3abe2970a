import type { TriggerRecord } from "../../../proto/gen/sidestep/internal/v1/trigger.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { coverOf, covers } from "../engine/event/subjects.ts";
import { activeTriggers } from "./activeTriggers.ts";
import type { Definitions } from "./definitions.ts";
import type { EventStreams, OtherStream, ParkedStore } from "./eventStreams.ts";
import { keepUp } from "./keepUp.ts";
import { triggerId } from "./triggerStore.ts";
import type { TriggerStore } from "./triggerStore.ts";

export interface ContractTriggersOptions {
  readonly store: TriggerStore;
  readonly streams: EventStreams;
  readonly parked: Pick<ParkedStore, "removeAll">;
  readonly definitions: Pick<Definitions, "list" | "active" | "revision" | "onChange">;
  /** Whether this orchestrator is the one that does it; two at once do no harm. */
  readonly isOurs: () => boolean;
  readonly isOwnSubject: (subject: string) => boolean;
  readonly now: () => number;
  readonly logger: Log;
}

/** Streams of others come and go. */
const lookAgainMs = 15_000;
/** How long what comes for a trigger that is gone is kept: who takes it out by mistake deploys again. */
const retiredKeptMs = 7 * 86_400_000;

/**
 * Sees to it that each subject trigger of a workflow's active version has a record and its consumers, in the stream that takes its pattern in, or in
 * ours, and that those that are gone are forgotten after a week.
 */
export function openContractTriggers(options: ContractTriggersOptions): Disposable {
  const { store, definitions, isOurs, now, logger } = options;
  let seen: number | undefined;
  let seenMs = 0;
  return keepUp({
    definitions,
    logger,
    failing: "triggers of contracts can't be kept up now",
    isDue: () => {
      if (!isOurs()) seen = undefined;
      const isSeen = definitions.revision() === seen && now() - seenMs < lookAgainMs;
      return isOurs() && !isSeen && store.isComplete();
    },
    reconcile: async () => {
      const revision = definitions.revision();
      if (await reconcile(options)) seen = revision;
      seenMs = now();
    },
  });
}

/** A subject trigger as its contract has it. */
export type WantedTrigger = Pick<TriggerRecord, "id" | "workflow" | "trigger" | "pattern" | "type" | "signal">;

/** Where a pattern is listened to. */
export interface Placed {
  /** Empty: ours. */
  readonly stream: string;
  /** Why it is not; empty: it is. */
  readonly blocked: string;
  /** Not even what comes over HTTP would be given out, and so not be kept. */
  readonly unfed: boolean;
}

const ours: Placed = { stream: "", blocked: "", unfed: false };

/** True when all stands as it should. */
async function reconcile(options: ContractTriggersOptions): Promise<boolean> {
  const { store, streams, definitions, now } = options;
  const revision = definitions.revision();
  const wanted = await wantedOf(definitions);
  const gone = store.all().filter(({ record }) => !wanted.has(record.id));
  if (wanted.size === 0 && gone.length === 0) return true;
  const kept = gone.filter(({ record }) => !isForgotten(record, now()));
  const places = await placeAll(options, [...wanted.values(), ...kept.map(({ record }) => record)]);
  let isDone = true;
  for (const one of wanted.values()) {
    const before = store.heard(one.id)?.record.stream ?? "";
    const place = await feed(options, one, places.get(one.pattern) ?? ours);
    const follow = (stands: TriggerRecord | undefined) => following(stands, { ...one, ...place }, revision, now());
    if (!(await put(options, one.id, follow))) isDone = false;
    else if (before !== "" && before !== place.stream)
      await streams.removeConsumer({ trigger: one.id, stream: before });
  }
  for (const { record } of gone) {
    if (isForgotten(record, now())) await forget(options, record.id);
    else if (!(await put(options, record.id, (stands) => stands && retired(stands, revision, now())))) isDone = false;
  }
  return isDone;
}

function isForgotten({ retiredMs }: TriggerRecord, nowMs: number): boolean {
  return retiredMs !== undefined && nowMs - retiredMs > retiredKeptMs;
}

/** Writes what `change` makes of the record; false: somebody else was first. */
async function put(
  { store, logger }: ContractTriggersOptions,
  id: string,
  change: (stands: TriggerRecord | undefined) => TriggerRecord | undefined,
): Promise<boolean> {
  const heard = store.heard(id)?.record;
  if (heard !== undefined && change(heard) === heard) return true;
  const { record, revision } = await store.read(id);
  const next = change(record);
  if (next === undefined || next === record) return true;
  if ((await store.write(next, revision)).kind !== "held") return false;
  const { stream, blocked, pattern } = next;
  if (next.retiredMs !== undefined) logger.info("a trigger is retired", { trigger: id });
  else if (blocked !== "") logger.warn("a trigger can't listen to its subject", { trigger: id, pattern, blocked });
  else logger.info("a trigger follows its contract", { trigger: id, pattern, stream });
  return true;
}

/** Takes away all that is left of a trigger that is retired. */
export async function forget(
  { store, streams, parked, logger }: Pick<ContractTriggersOptions, "store" | "streams" | "parked" | "logger">,
  id: string,
): Promise<boolean> {
  const { record, revision } = await store.read(id);
  if (record?.retiredMs === undefined) return false;
  if (record.stream !== "") await streams.removeConsumer({ trigger: id, stream: record.stream });
  await streams.removeConsumer({ trigger: id, stream: "" });
  const dropped = await parked.removeAll(id);
  if ((await store.remove(id, revision)).kind !== "held") return false;
  logger.info("a retired trigger is forgotten", { trigger: id, dropped });
  return true;
}

async function wantedOf(
  definitions: ContractTriggersOptions["definitions"],
): Promise<ReadonlyMap<string, WantedTrigger>> {
  const wanted = new Map<string, WantedTrigger>();
  for (const { workflow, trigger } of await activeTriggers(definitions)) {
    if (trigger.kind?.$case !== "subject") continue;
    const { pattern, type } = trigger.kind.value;
    const id = triggerId(workflow, trigger.name);
    wanted.set(id, { id, workflow, trigger: trigger.name, pattern, type, signal: trigger.signal });
  }
  return wanted;
}

/** Finds who takes each pattern in, and has our stream take what nobody else does. */
async function placeAll(
  { streams, isOwnSubject }: ContractTriggersOptions,
  triggers: readonly { readonly pattern: string }[],
): Promise<ReadonlyMap<string, Placed>> {
  const places = new Map<string, Placed>();
  for (const { pattern } of triggers) {
    if (places.has(pattern)) continue;
    const isOwn = isOwnSubject(pattern);
    places.set(
      pattern,
      isOwn
        ? { ...ours, blocked: `'${pattern}' belongs to Sidestep itself` }
        : placeOf(pattern, await streams.colliding(pattern)),
    );
  }
  const free = [...places].flatMap(([pattern, { stream, blocked }]) => (stream + blocked === "" ? [pattern] : []));
  if ((await streams.capture(coverOf(free))).kind === "made") return places;
  // What they are joined to takes in something of somebody else's: as many of them as can be.
  const taken: string[] = [];
  for (const pattern of free.toSorted()) {
    const made = await streams.capture(coverOf([...taken, pattern]));
    if (made.kind === "made") taken.push(pattern);
    else places.set(pattern, { ...ours, blocked: made.message });
  }
  return places;
}

/** Who takes a pattern in: the one stream that takes in all of it, or ours, when no other takes in any. */
export function placeOf(pattern: string, others: readonly OtherStream[]): Placed {
  const whole = others.find(({ subjects }) => subjects.some((subject) => covers(subject, pattern)));
  if (whole !== undefined) return { ...ours, stream: whole.name };
  const [part] = others;
  if (part === undefined) return ours;
  const { name, subjects } = part;
  return {
    ...ours,
    blocked: `the stream ${name} takes in a part of '${pattern}' (${subjects.join(", ")}), and no two streams may have the same subject: have it take in all of it, or name what it has`,
  };
}

/** Makes the consumers of a trigger; where they are. */
async function feed(
  { streams }: ContractTriggersOptions,
  { id, pattern }: WantedTrigger,
  place: Placed,
): Promise<Placed> {
  const isOurs = place.stream === "" && place.blocked === "";
  const subjects = [streams.hookSubject(id), ...(isOurs ? [pattern] : [])];
  const inbox = await streams.ensureConsumer({ trigger: id, stream: "" }, subjects);
  if (inbox.kind === "refused") return { ...place, blocked: inbox.message, unfed: true };
  if (place.stream === "") return place;
  const made = await streams.ensureConsumer({ trigger: id, stream: place.stream }, [pattern]);
  return made.kind === "made" ? place : { ...place, blocked: made.message };
}

/** The record as the contract has it: the very one when nothing is to be changed. Somebody who knows a newer contract is left alone. */
export function following(
  stands: TriggerRecord | undefined,
  wanted: WantedTrigger & Placed,
  definitions: number,
  nowMs: number,
): TriggerRecord {
  if (stands === undefined)
    return { ...wanted, definitions, createdMs: nowMs, retiredMs: undefined, paused: undefined };
  const isSame =
    stands.retiredMs === undefined &&
    (["pattern", "type", "signal", "stream", "blocked", "unfed"] as const).every(
      (name) => stands[name] === wanted[name],
    );
  if (stands.definitions > definitions || isSame) return stands;
  return { ...stands, ...wanted, definitions, retiredMs: undefined };
}

/** The record of a trigger that is gone. */
export function retired(stands: TriggerRecord, definitions: number, nowMs: number): TriggerRecord {
  if (stands.retiredMs !== undefined || stands.definitions > definitions) return stands;
  return { ...stands, definitions, retiredMs: nowMs };
}
