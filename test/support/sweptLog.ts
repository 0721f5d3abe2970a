import assert from "node:assert/strict";
import { Event, RunEnded, RunStarted } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { fromHex, toRunId } from "../../proto/wire/runId.ts";
import type { RunId } from "../../proto/wire/runId.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { silentLog } from "../../runtime/src/log.ts";
import { toCredentials } from "../../orchestrator/src/processor/credentials.ts";
import { keyPlace } from "../../orchestrator/src/processor/keyPlace.ts";
import { zeroCounts } from "../../orchestrator/src/processor/ownership.ts";
import type { Ground } from "../../orchestrator/src/processor/ownership.ts";
import type { LogMessage } from "../../orchestrator/src/processor/ports.ts";
import type { Keeping } from "../../orchestrator/src/processor/retention.ts";
import type { Random } from "../sim/random.ts";

export const names = toNames();
const workflow = "test.v1.Flows/Flow";
export const retentionMs = 600_000;
export const keeping: Keeping = {
  retentionMs,
  takes: ({ state }) => state === Run_State.COMPLETED,
  hasLeftovers: true,
};

/** A run as it was made, and what is to become of it. */
export interface Made {
  readonly runId: RunId;
  readonly key: string;
  /** Completed and failed; waits for long; never began; a lock that is held. */
  readonly sort: "completed" | "failed" | "endless" | "leftover" | "lock";
  readonly messages: LogMessage[];
  startAt: number;
  endAt: number;
  hadPayloads: boolean;
}

export const eventOf = (kind: NonNullable<Event["kind"]>): Uint8Array => Event.encode({ kind }).finish();
export const endOf = (state: Run_State): Uint8Array =>
  eventOf({ $case: "runEnded", value: { ...RunEnded.decode(new Uint8Array()), state } });
export const startOf = (key: string): Uint8Array =>
  eventOf({ $case: "runStarted", value: { ...RunStarted.decode(new Uint8Array()), workflow, key, issuedAtMs: 1e15 } });
const asked = eventOf({
  $case: "lockRequested",
  value: { lock: "l", holder: { runId: new Uint8Array(16), step: { step: "s", generation: 0 } } },
});

/** A partition in memory with a log of many runs at a time, ten milliseconds from message to message, that says when something goes that must not. */
export class World {
  readonly random: Random;
  readonly messages: LogMessage[] = [];
  readonly gone = new Set<number>();
  readonly runs: Made[] = [];
  readonly byId = new Map<RunId, Made>();
  readonly keys = new Map<string, RunId>();
  readonly timers = new Set<RunId>();
  readonly payloads = new Set<RunId>();
  readonly owners: number[] = [];
  readonly requests: string[] = [];
  readonly problems: unknown[] = [];
  nowMs = 0;
  #begun = 0;
  /** Requests fail by chance, before or after they are carried out. */
  isBroken = false;
  isListed = true;

  constructor(random: Random) {
    this.random = random;
  }

  append(subject: string, data: Uint8Array): LogMessage {
    const sequence = this.messages.length + 1;
    const message = { sequence, subject, data, storedMs: sequence * 10 };
    this.messages.push(message);
    if (subject === names.ownerSubject(0)) this.owners.push(sequence);
    return message;
  }

  /** Some runs, so many at a time, each of some messages, some of which come after its end. */
  make(count: number, atOnce: number, sorts: readonly Made["sort"][], lateChance = 0): void {
    const { random } = this;
    this.append(names.ownerSubject(0), Uint8Array.of(1));
    const open: { readonly made: Made; readonly todo: (() => LogMessage)[] }[] = [];
    for (let begun = 0; begun < count || open.length > 0;) {
      while (open.length < atOnce && begun < count) {
        open.push(this.#begin(random.pick(sorts), lateChance));
        begun++;
      }
      const at = random.int(0, open.length - 1);
      const { made, todo } = open[at] ?? assert.fail();
      const message = todo.shift()?.();
      if (message === undefined) open.splice(at, 1);
      else made.messages.push(message);
      if (random.chance(0.002)) this.append(names.eventSubject(0, "x"), new Uint8Array(3));
    }
  }

  #begin(sort: Made["sort"], lateChance: number): { readonly made: Made; readonly todo: (() => LogMessage)[] } {
    const { random } = this;
    const index = this.#begun++;
    const runId = toRunId(sort === "lock" ? 0 : 1_700_000_000_000, 1, index % 4096, tailOf(index));
    const key = random.chance(0.3) ? `k${index}` : "";
    const made: Made = { runId, key, sort, messages: [], startAt: 0, endAt: 0, hadPayloads: false };
    this.runs.push(made);
    this.byId.set(runId, made);
    const event = (data: Uint8Array) => (): LogMessage => this.append(names.eventSubject(0, runId), data);
    const outcome = (): LogMessage => this.append(names.outcomeSubject(0, runId), new Uint8Array(8));
    const outcomes = Array.from({ length: random.int(0, sort === "endless" ? 40 : 6) }, () => outcome);
    if (sort === "lock") return { made, todo: [event(asked), event(asked)] };
    if (sort === "leftover") return { made, todo: [event(new Uint8Array()), ...outcomes] };
    if (key !== "") this.keys.set(keyPlace(workflow, key).hash, runId);
    if (random.chance(0.2)) this.timers.add(runId);
    if (random.chance(0.2)) this.payloads.add(runId);
    made.hadPayloads = this.payloads.has(runId);
    const start = (): LogMessage => {
      const message = event(startOf(key))();
      made.startAt = message.sequence;
      return message;
    };
    if (sort === "endless") return { made, todo: [start, ...outcomes] };
    const end = (): LogMessage => {
      const message = event(endOf(sort === "completed" ? Run_State.COMPLETED : Run_State.FAILED))();
      made.endAt = message.sequence;
      return message;
    };
    const late = random.chance(lateChance) ? [outcome, event(new Uint8Array())] : [];
    return { made, todo: [start, ...outcomes, end, ...late] };
  }

  ground(): Ground {
    const of = (runId: RunId): LogMessage[] =>
      (this.byId.get(runId)?.messages ?? []).filter(({ sequence }) => !this.gone.has(sequence));
    const standing = (): LogMessage[] => this.messages.filter(({ sequence }) => !this.gone.has(sequence));
    const drop = (messages: readonly LogMessage[], through: number): void => {
      for (const { sequence } of messages) if (sequence <= through) this.gone.add(sequence);
    };
    const owner = names.ownerSubject(0);
    const { ask } = this;
    const log = {
      head: ask("head", () => standing()[0]?.sequence ?? this.messages.length + 1),
      end: ask("end", () => ({ lastSequence: this.messages.length, created: "" })),
      firstOf: ask("firstOf", (runId: RunId) => of(runId)[0]?.sequence),
      firstEvent: ask("firstEvent", (runId: RunId) => of(runId).find(({ subject }) => subject.endsWith(".e"))),
      positions: ask("positions", (runId: RunId) => ({ event: of(runId).at(-1)?.sequence ?? 0 })),
      load: ask("load", of),
      next: ask("next", (from: number, count: number) =>
        standing()
          .filter(({ sequence }) => sequence >= from)
          .slice(0, Math.min(count, this.random.int(1, 200))),
      ),
      remove: ask("remove", (runId: RunId, _from: number, through: number) => drop(of(runId), through)),
      keepOwner: ask("keepOwner", (through: number) => {
        const stands = standing().findLast(({ subject }) => subject === owner);
        if (stands !== undefined && stands.sequence <= through) this.append(owner, stands.data);
      }),
      cutHead: ask("cutHead", (through: number) => drop(standing(), through)),
    };
    const keys = {
      read: ask("key", (_bucket: number, hash: string) => {
        const holder = this.keys.get(hash);
        return holder === undefined ? undefined : { record: { runId: fromHex(holder) }, revision: 1 };
      }),
      free: ask("free", (_bucket: number, hash: string) => this.keys.delete(hash)),
    };
    const listOf = (runs: ReadonlySet<RunId>) => ask("list", () => (this.isListed ? new Set(runs) : undefined));
    return {
      partition: 0,
      clock: { now: () => this.nowMs },
      counts: zeroCounts(),
      credentials: toCredentials([new Uint8Array(16)]),
      logger: silentLog,
      signal: new AbortController().signal,
      isLive: () => true,
      durable: () => this.messages.length,
      passedMs: () => Infinity,
      log,
      keys,
      timers: {
        runs: listOf(this.timers),
        remove: ask("timers", (_: number, runId: RunId) => this.timers.delete(runId)),
      },
      payloads: { runs: listOf(this.payloads), remove: ask("payloads", (runId: RunId) => this.payloads.delete(runId)) },
    } as object as Ground;
  }

  ask =
    <A extends readonly unknown[], T>(name: string, carryOut: (...given: A) => T) =>
    async (...given: A): Promise<T> => {
      await Promise.resolve();
      if (this.isBroken && this.random.chance(0.03)) throw new Error("not now");
      const found = carryOut(...given);
      this.requests.push(name);
      try {
        this.check();
      } catch (error) {
        // The sweep would take it for a failed request.
        this.problems.push(error);
      }
      if (this.isBroken && this.random.chance(0.03)) throw new Error("it is not known whether that was done");
      return found;
    };

  /** What must hold between any two requests. */
  check(): void {
    const untilMs = this.nowMs - retentionMs;
    assert(
      this.owners.some((sequence) => !this.gone.has(sequence)),
      "the owner's record is there",
    );
    for (const made of this.runs) {
      const { runId, sort, messages, endAt, startAt } = made;
      const isDue = sort === "leftover" || (sort === "completed" && endAt > 0 && endAt * 10 <= untilMs);
      if (!isDue) assert(!messages.some(({ sequence }) => this.gone.has(sequence)), `${sort} ${runId} is whole`);
      if (sort !== "completed") continue;
      const [hasStart, hasEnd] = [!this.gone.has(startAt), !this.gone.has(endAt)];
      assert(
        hasStart || !(this.timers.has(runId) || this.isHeld(made)),
        `key and timers of ${runId} go before its start`,
      );
      assert(hasEnd || !(hasStart || this.payloads.has(runId)), `the end of ${runId} goes last`);
      assert(!hasStart || !made.hadPayloads || this.payloads.has(runId), `payloads of ${runId} go behind its start`);
    }
  }

  isHeld({ key, runId }: Made): boolean {
    return key !== "" && this.keys.get(keyPlace(workflow, key).hash) === runId;
  }

  /** Runs of a sort of which the log has anything, or something else has. */
  left(sort: Made["sort"]): readonly RunId[] {
    return this.runs
      .filter((made) => made.sort === sort)
      .filter(
        (made) =>
          made.messages.some(({ sequence }) => !this.gone.has(sequence)) ||
          this.timers.has(made.runId) ||
          this.payloads.has(made.runId) ||
          this.isHeld(made),
      )
      .map(({ runId }) => runId);
  }
}

export function tailOf(index: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, index);
  return bytes;
}
