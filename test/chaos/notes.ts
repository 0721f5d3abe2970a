import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { pause } from "../../runtime/src/pause.ts";
import type { PlacedOrder } from "./placedOrder.ts";
import type { OrderRecord } from "./verify.ts";

/** Where runs are read. */
export interface RunReader {
  /** The record of an order whose run is there. */
  readonly read: (order: PlacedOrder) => Promise<OrderRecord>;
}

/** Records of orders, each taken shortly before its run is deleted. */
export interface Notes {
  /** Takes those of the rest, and looks which runs are gone by now. */
  readonly finish: () => Promise<readonly OrderRecord[]>;
}

/** Part of the retention after which a run is noted: late enough that a deletion too soon is seen, with time to ask again while nobody answers. */
const notedAfter = 0.8;

/** Follows `orders` as it grows. A run that is not there when it is to be noted rejects what is under way. */
export function openNotes(orders: readonly PlacedOrder[], { read }: RunReader, retentionMs: number): Notes {
  const noted: OrderRecord[] = [];
  let isOver = false;
  const noting = (async () => {
    while (!isOver) {
      const order = orders[noted.length];
      if (order !== undefined && Date.now() > order.endedMs + notedAfter * retentionMs)
        await readPatiently(read, order).then((it) => noted.push(it));
      else await pause(100);
    }
  })();
  // It is awaited at the end.
  noting.catch(() => undefined);
  return {
    finish: async () => {
      isOver = true;
      await noting;
      // The rest first, for while all are looked at again more become due.
      for (const order of orders.slice(noted.length)) noted.push(await readPatiently(read, order));
      if (retentionMs === Infinity) return noted;
      const records: OrderRecord[] = [];
      for (const [i, order] of orders.entries()) {
        const note = noted[i];
        assert(note !== undefined);
        const found = await readPatiently(read, order).catch((error: unknown) => {
          if (codeOf(error) !== status.NOT_FOUND) throw error;
          return { isDeleted: true, lookedMs: Date.now() };
        });
        // Of what was read just now some may be deleted already.
        records.push({ ...note, isDeleted: found.isDeleted, lookedMs: found.lookedMs });
      }
      return records;
    },
  };
}

const patienceMs = 60_000;
const passing: ReadonlySet<unknown> = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED]);

/** Asks again while orchestrator or nats-server are away. */
async function readPatiently(read: RunReader["read"], order: PlacedOrder): Promise<OrderRecord> {
  for (const until = Date.now() + patienceMs; ; await pause(200)) {
    try {
      return await read(order);
    } catch (error) {
      if (!passing.has(codeOf(error)) || Date.now() > until) throw error;
    }
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
