import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A probe's answer: fine, or why not. */
export type Health = { readonly ok: boolean; readonly detail?: string };

export type AdminOptions = {
  readonly host?: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** When `port` is taken, the next ones are tried, up to this many. */
  readonly portsTried?: number;
  /** The process lives; an answer at all is most of it. */
  readonly livez?: () => Health;
  readonly readyz: () => Health;
  /** Answers /metrics. */
  readonly metrics: (request: IncomingMessage, response: ServerResponse) => void;
};

/** /livez, /readyz and /metrics over HTTP. */
export interface AdminServer extends AsyncDisposable {
  readonly port: number;
}

/** Opens it. Throws when no port can be had. */
export async function openAdminServer(options: AdminOptions): Promise<AdminServer> {
  const server = createServer((request, response) => answer(options, request, response));
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  const port = await listen(server, options);
  return {
    port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(options: AdminOptions, request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? "/").split("?", 1)[0];
  if (request.method !== "GET" && request.method !== "HEAD") return end(response, 405, "GET only");
  switch (path) {
    case "/livez":
      return probe(response, options.livez?.() ?? { ok: true });
    case "/readyz":
      return probe(response, options.readyz());
    case "/metrics":
      return options.metrics(request, response);
    case "/":
      return end(response, 200, "/livez\n/readyz\n/metrics");
    default:
      return end(response, 404, "not here; see /");
  }
}

function probe(response: ServerResponse, health: Health): void {
  end(response, health.ok ? 200 : 503, health.detail ?? (health.ok ? "ok" : "not ok"));
}

function end(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${body}\n`);
}

async function listen(server: Server, options: AdminOptions): Promise<number> {
  const last = options.port === 0 ? 0 : Math.min(options.port + (options.portsTried ?? 1) - 1, 65_535);
  for (let port = options.port; ; port += 1) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, options.host ?? "127.0.0.1", () => {
          server.off("error", reject);
          resolve();
        });
      });
      return boundPort(server.address());
    } catch (error) {
      const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
      if (!isTaken || port >= last) throw new Error(`no port for the admin server: ${String(error)}`, { cause: error });
    }
  }
}

function boundPort(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}
