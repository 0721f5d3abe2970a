import { once } from "node:events";
import { createServer } from "node:net";

/** A port that nobody listens on. */
export interface FoundPort {
  readonly port: number;
  /** It is the one that was wanted. */
  readonly isWanted: boolean;
}

/** The wanted port of loopback, or a free one when somebody has it already. */
export async function findPort(wanted: number): Promise<FoundPort> {
  return (await isFree(wanted)) ? { port: wanted, isWanted: true } : { port: await freePort(), isWanted: false };
}

/** A free port of loopback. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Whether it can be listened on. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    const listening = once(server, "listening");
    server.listen(port, "127.0.0.1");
    await listening;
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
