import { Buffer } from "node:buffer";
import type { LogMessage, LogReader, PartitionLog } from "../../../orchestrator/src/processor/ports.ts";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { OwnerRecord } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { Link, Network } from "./network.ts";
import type { Stream } from "./stream.ts";
import { strikes, wireMs } from "./world.ts";
import type { World } from "./world.ts";
import { write } from "./write.ts";

export const names = toNames();

/** The log of a partition as one orchestrator reaches it. */
export function toPartitionLog(
  world: World,
  network: Network,
  link: Link,
  stream: Stream,
  partition: number,
): PartitionLog {
  const place = `log ${partition}` as const;
  const ask = async <T>(read: () => T): Promise<T> => {
    const answer = await network.call(link, place, () => ({ found: read() }));
    if (answer === undefined) throw new Error("the log does not answer");
    return answer.found;
  };
  const ownerEpoch = async (): Promise<number> => {
    const owner = await ask(() => stream.last(names.ownerSubject(partition)));
    return owner === undefined ? 0 : OwnerRecord.decode(owner.data).epoch;
  };
  const append = (
    runId: string,
    data: Uint8Array,
    more: { readonly id?: string; readonly expected?: number; readonly onConflict: "first" | "last" },
    limits: Parameters<PartitionLog["append"]>[3],
  ): ReturnType<PartitionLog["append"]> => {
    const subject = names.eventSubject(partition, runId);
    const store = (): ReturnType<Stream["append"]> => stream.append(subject, data, more);
    return write(
      world,
      network,
      link,
      { place, store, standsAt: () => ours(stream[more.onConflict](subject), data) },
      limits,
    );
  };
  return {
    partition,
    read: (options) => openReader(world, link, stream, options),
    load: (runId) =>
      ask(() => stream.of([names.eventSubject(partition, runId), names.outcomeSubject(partition, runId)])),
    firstEvent: (runId) => ask(() => stream.first(names.eventSubject(partition, runId))),
    positions: async (runId) => {
      const [event, outcome] = await Promise.all([
        ask(() => stream.last(names.eventSubject(partition, runId))),
        ask(() => stream.last(names.outcomeSubject(partition, runId))),
      ]);
      return { event: event?.sequence ?? 0, outcome: outcome?.sequence ?? 0, ownerEpoch: await ownerEpoch() };
    },
    tail: async () => ({ sequence: await ask(() => stream.messages.length), ownerEpoch: await ownerEpoch() }),
    append: (runId, id, event, limits) => append(runId, event, { id, onConflict: "last" }, limits),
    appendFirst: (runId, event, limits) => append(runId, event, { expected: 0, onConflict: "first" }, limits),
    appendAfter: (runId, expected, event, limits) => {
      if (strikes(world, world.faults.lateCancels)) cancelFirst(runId);
      return append(runId, event, { expected, onConflict: "last" }, limits);
    },
    cut: async (runId, through) => {
      await ask(() => stream.purge(names.eventSubject(partition, runId), through));
      await ask(() => stream.purge(names.outcomeSubject(partition, runId), through));
    },
    remove: async (runId, _from, through) => {
      for (const subject of [names.eventSubject(partition, runId), names.outcomeSubject(partition, runId)])
        await ask(() => stream.purge(subject, through));
    },
    firstOf: (runId) =>
      ask(() => stream.of([names.eventSubject(partition, runId), names.outcomeSubject(partition, runId)])[0]?.sequence),
    head: () => ask(() => stream.head()),
    keepOwner: async (through) => {
      await ask(() => {
        const stands = stream.last(names.ownerSubject(partition));
        if (stands === undefined || stands.sequence > through) return;
        stream.append(stands.subject, stands.data, { expected: stands.sequence });
      });
    },
    cutHead: (through) => ask(() => stream.cutHead(through)),
    next: (from, count) =>
      ask(() =>
        stream.messages
          .slice(from - 1)
          .filter(({ sequence }) => !stream.isGone(sequence))
          .slice(0, count),
      ),
    writeOwner: (owner, epoch, signal) => writeOwner(owner, epoch, signal),
    end: () => ask(() => ({ lastSequence: stream.messages.length, created: "once" })),
  };

  function cancelFirst(runId: string): void {
    const value = { reason: "late", actor: "", requestId: `late ${runId}` };
    // Or bytes that are no event: the end of the subject moves, and the state does not.
    const cancel = Event.encode({ kind: { $case: "cancelRequested", value } }).finish();
    const event = world.random.chance(0.5) ? cancel : Uint8Array.of(0xff);
    world.scheduler.after(undefined, 0, () =>
      stream.append(names.eventSubject(partition, runId), event, { id: `late ${runId}` }),
    );
  }

  async function writeOwner(owner: string, epoch: number, signal: AbortSignal): ReturnType<PartitionLog["writeOwner"]> {
    const subject = names.ownerSubject(partition);
    const data = OwnerRecord.encode({ owner, epoch }).finish();
    while (!signal.aborted) {
      const stands = await ask(() => stream.last(subject)).catch(() => "unknown" as const);
      if (stands === "unknown") {
        await pause(100, signal);
        continue;
      }
      const mine = ours(stands, data);
      if (mine !== undefined) return { kind: "stored", sequence: mine };
      if (stands !== undefined && OwnerRecord.decode(stands.data).epoch >= epoch) return { kind: "conflict" };
      const expected = stands?.sequence ?? 0;
      const store = (): ReturnType<Stream["append"]> => stream.append(subject, data, { expected });
      const standsAt = (): number | undefined => ours(stream.last(subject), data);
      const written = await write(world, network, link, { place, store, standsAt }, { signal });
      if (written.kind !== "conflict") return written;
    }
    return { kind: "abandoned" };
  }
}

function ours(stands: LogMessage | undefined, data: Uint8Array): number | undefined {
  return stands !== undefined && Buffer.compare(stands.data, data) === 0 ? stands.sequence : undefined;
}

/** Gives messages out in order, some at a time, while there is room and a connection. */
function openReader(world: World, link: Link, stream: Stream, options: Parameters<PartitionLog["read"]>[0]): LogReader {
  const { scheduler, random } = world;
  let next = options.from;
  let open = 0;
  let isClosed = false;
  let isComing = false;
  const take = (): void => {
    isComing = false;
    if (isClosed || !link.isConnected) return;
    for (let some = random.int(1, 8); some > 0 && open > 0; some--) {
      const message = stream.messages[next - 1];
      if (message === undefined) return;
      next++;
      if (stream.isGone(message.sequence)) continue;
      open--;
      options.onMessage(message);
    }
    if (open <= 0) reader.pull();
    else come();
  };
  const come = (): void => {
    if (isClosed || isComing || open <= 0 || !link.isConnected || stream.messages.length < next) return;
    isComing = true;
    scheduler.after(link.process, wireMs(world) + world.faults.readsLateMs, take);
  };
  const reader: LogReader = {
    pull: () => {
      if (open > 0 || isClosed) return;
      open = Math.max(options.room(), 0);
      come();
    },
    next: () => next,
    [Symbol.dispose]: () => {
      isClosed = true;
      link.onReconnect.delete(come);
    },
  };
  stream.onAppend(come);
  link.onReconnect.add(come);
  scheduler.after(link.process, wireMs(world), () => reader.pull());
  return reader;
}
