import { once } from "node:events";
import net from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { expect, test } from "vitest";
import { openReadPace, startsInTurnMax } from "./readPace.ts";

const connectionCount = 4;
const bytesEach = 1024 * 1024;

test("when a turn has had enough starts nothing more is read in it, all is read in the end, and each connection has its turn", async () => {
  const pace = openReadPace();
  const sockets: Socket[] = [];
  const done = Promise.withResolvers<void>();
  /** Connections that were read, turn by turn. */
  const turns: number[][] = [[]];
  let left = connectionCount * bytesEach;
  const look = (): void => {
    if (turns.at(-1)?.length !== 0) turns.push([]);
    if (left > 0) setImmediate(look);
    else done.resolve();
  };
  const server = net.createServer((socket) => {
    const number = sockets.push(socket);
    pace.add(socket);
    socket.on("data", (chunk) => {
      left -= chunk.length;
      turns.at(-1)?.push(number);
      for (let i = 0; i < startsInTurnMax; i++) pace.count();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: connectionCount }, () => net.connect(port, "127.0.0.1"));
  for (const client of clients) client.write(Buffer.alloc(bytesEach));
  setImmediate(look);
  await done.promise;
  // A look may fall before or behind the moment at which reads go on.
  expect(Math.max(...turns.map((read) => read.length))).toBeLessThanOrEqual(2);
  expect(new Set(turns.flat()).size).toBe(connectionCount);
  for (const socket of [...clients, ...sockets]) socket.destroy();
  server.close();
});
