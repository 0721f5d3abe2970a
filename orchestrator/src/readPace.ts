import type { Duplex } from "node:stream";

/** Starts that are taken in one turn of the event loop before nothing more is read in it. */
export const startsInTurnMax = 64;

/**
 * Lets a burst of starts in by portions. Node reads all that all connections have in one turn, and 5,000 requests are half a second in which nothing else
 * has its turn. What is not read waits in the system's buffers, and then with the client.
 */
export interface ReadPace {
  /** Reads of this connection stop when there was enough in a turn, until the next one. */
  add(connection: Duplex): void;
  /** A start has been taken. */
  count(): void;
}

/** Opens it. `nextTurn` calls what it is given in the next turn of the event loop. */
export function openReadPace(nextTurn: (work: () => void) => void = setImmediate): ReadPace {
  const connections = new Set<Duplex>();
  let taken = 0;
  const goOn = (): void => {
    if (taken >= startsInTurnMax) {
      for (const one of connections) tell(one, "readStart");
      // They are read in the order in which they were told: whoever floods must not always be the first.
      const [first] = connections;
      if (first !== undefined && connections.delete(first)) connections.add(first);
    }
    taken = 0;
  };
  return {
    add: (connection) => {
      connections.add(connection);
      connection.once("close", () => connections.delete(connection));
    },
    count: () => {
      taken += 1;
      if (taken === 1) nextTurn(goOn);
      if (taken === startsInTurnMax) for (const one of connections) tell(one, "readStop");
    },
  };
}

/** Below the socket's own `pause`, which the connection's session has for clients that do not read. Where there is no such handle, reads go on. */
function tell(connection: Duplex, what: "readStart" | "readStop"): void {
  const handle: unknown = Reflect.get(connection, "_handle");
  if (typeof handle !== "object" || handle === null) return;
  const tellIt: unknown = Reflect.get(handle, what);
  if (typeof tellIt === "function") Reflect.apply(tellIt, handle, []);
}
