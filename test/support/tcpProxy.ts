import { once } from "node:events";
import net from "node:net";
import { freePort } from "./freePort.ts";

/** A TCP proxy before a server; leaving its scope cuts everything. */
export interface TcpProxy extends AsyncDisposable {
  /** nats://127.0.0.1:<port>, or whatever scheme the target has. */
  readonly url: string;
  /** Nothing passes any more, in neither direction; connections stay open. */
  freeze(): void;
  /** What was held passes now. */
  thaw(): void;
  /** Bytes from the server are thrown away until the connections are cut: requests arrive, answers get lost. */
  loseAnswers(): void;
  /** Cuts every connection; new ones work as at the start. */
  cut(): void;
  /** How many connections it has taken so far. */
  taken(): number;
}

/** Starts a proxy before `url`. */
export async function startTcpProxy(url: string): Promise<TcpProxy> {
  const target = new URL(url);
  const port = await freePort();
  const pairs = new Set<{ readonly client: net.Socket; readonly server: net.Socket }>();
  let taken = 0;
  let isFrozen = false;
  let isLosing = false;
  const server = net.createServer((client) => {
    taken += 1;
    const upstream = net.connect(Number(target.port), target.hostname);
    const pair = { client, server: upstream };
    pairs.add(pair);
    const close = (): void => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on("error", close);
      socket.on("close", close);
    }
    client.on("data", (bytes) => void upstream.write(bytes));
    upstream.on("data", (bytes) => {
      if (!isLosing) client.write(bytes);
    });
    if (isFrozen) pause(pair);
  });
  const pause = (pair: { readonly client: net.Socket; readonly server: net.Socket }): void => {
    pair.client.pause();
    pair.server.pause();
  };
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    isLosing = false;
    for (const { client, server: upstream } of pairs) {
      client.destroy();
      upstream.destroy();
    }
  };
  return {
    url: `${target.protocol}//127.0.0.1:${port}`,
    taken: () => taken,
    freeze: () => {
      isFrozen = true;
      pairs.forEach(pause);
    },
    thaw: () => {
      isFrozen = false;
      for (const pair of pairs) {
        pair.client.resume();
        pair.server.resume();
      }
    },
    loseAnswers: () => {
      isLosing = true;
    },
    cut,
    [Symbol.asyncDispose]: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
