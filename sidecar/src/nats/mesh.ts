import { randomBytes } from "node:crypto";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { CallAnswer, IncomingCall } from "../wayIn.ts";
import { Requests } from "./requests.ts";
import { Carried } from "./meshCarried.ts";
import type { MeshGround } from "./meshCarried.ts";
import { MeshWatch } from "./meshWatch.ts";
import type { MeshKnowledge } from "./meshWatch.ts";

/** The way from one service to the methods of others. */
export interface Mesh {
  /** Calls a method in the name of a service; the function that is returned gives it up. */
  carry(caller: string, call: IncomingCall, answer: CallAnswer): () => void;
  /** Questions whose answers are waited for. */
  readonly waiting: () => number;
}

/** Calls methods of other services at their sidecars, over NATS. */
export function openMesh(nats: Nats, names: Names): Mesh {
  const knowledge: MeshKnowledge = { idempotent: new Set(), answering: new Set() };
  const asks = new Requests(nats.connection);
  const watch = new MeshWatch(nats, asks, knowledge);
  const ground: MeshGround = { nats, names, asks, knowledge, watch, nextId: newIds() };
  return {
    carry: (caller, call, answer) => {
      const carried = new Carried(ground, caller, call, answer);
      carried.begin();
      return () => carried.giveUp();
    },
    waiting: () => asks.size,
  };
}

/** Ids of tries, by which whoever has one is asked for it: 8 random bytes of this process, and a number. */
function newIds(): () => Uint8Array {
  const own = randomBytes(8);
  let count = 0n;
  return () => {
    const id = Buffer.alloc(16);
    own.copy(id);
    id.writeBigUInt64BE(count++, 8);
    return id;
  };
}
