import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import grpc from "@grpc/grpc-js";
import { decodeExport, toSpans, traceService } from "./otlp/receivedSpan.ts";
import type { ReceivedSpan } from "./otlp/receivedSpan.ts";

/** A collector that keeps what it is sent: OTLP over HTTP (protobuf) and over gRPC, decoded from the real bytes. */
export interface OtlpReceiver extends AsyncDisposable {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT with the protocol http/protobuf. */
  readonly httpUrl: string;
  /** For OTEL_EXPORTER_OTLP_ENDPOINT with the protocol grpc. */
  readonly grpcUrl: string;
  /** Every span of every export it answered with OK, in order of arrival, doubles included. */
  readonly spans: () => readonly ReceivedSpan[];
  /** Headers of the last export. */
  readonly lastHeaders: () => Readonly<Record<string, string>>;
  /** Exports it has refused since it was told to be away. */
  readonly refused: () => number;
  /** While away it answers every export with "unavailable" and keeps nothing. */
  readonly setAway: (away: boolean) => void;
  /** Resolves when `isThere` holds of what has come; rejects after `timeoutMs` (30 s) with the names of what has. */
  readonly waitFor: (
    isThere: (spans: readonly ReceivedSpan[]) => boolean,
    options?: { readonly timeoutMs?: number },
  ) => Promise<readonly ReceivedSpan[]>;
  /** Resolves when an export has been refused `count` times. */
  readonly waitForRefusals: (count: number) => Promise<void>;
}

/** Starts one on 127.0.0.1; the port of the HTTP side is a free one unless told. */
export async function startOtlpReceiver(options: { readonly httpPort?: number } = {}): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const listeners = new Set<() => void>();
  const changed = (): void => listeners.forEach((it) => it());
  let away = false;
  let refused = 0;
  let lastHeaders: Record<string, string> = {};
  /** False: refused. */
  const take = (arrived: readonly ReceivedSpan[], headers: Record<string, string>): boolean => {
    lastHeaders = headers;
    if (away) refused += 1;
    else spans.push(...arrived);
    changed();
    return !away;
  };
  const until = async (holds: () => boolean, timeoutMs: number, told: () => string): Promise<void> => {
    const done = Promise.withResolvers<void>();
    const look = (): void => void (holds() && done.resolve());
    const timer = setTimeout(() => done.reject(new Error(told())), timeoutMs);
    listeners.add(look);
    look();
    try {
      await done.promise;
    } finally {
      clearTimeout(timer);
      listeners.delete(look);
    }
  };

  const httpServer = await startHttp(take, options.httpPort ?? 0);
  const rpcServer = await startRpc(take);
  return {
    httpUrl: `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`,
    grpcUrl: `http://127.0.0.1:${rpcServer.port}`,
    spans: () => spans,
    lastHeaders: () => lastHeaders,
    refused: () => refused,
    setAway: (isAway) => {
      away = isAway;
      refused = 0;
    },
    waitFor: async (isThere, { timeoutMs = 30_000 } = {}) => {
      const told = (): string =>
        `the spans waited for did not come within ${timeoutMs} ms; these did:\n${spans.map((it) => `  ${it.name}`).join("\n")}`;
      await until(() => isThere(spans), timeoutMs, told);
      return spans;
    },
    waitForRefusals: (count) =>
      until(
        () => refused >= count,
        30_000,
        () => `only ${refused} exports of ${count} were refused`,
      ),
    [Symbol.asyncDispose]: async () => {
      rpcServer.server.forceShutdown();
      httpServer.closeAllConnections();
      httpServer.close();
      await once(httpServer, "close");
    },
  };
}

type Take = (spans: readonly ReceivedSpan[], headers: Record<string, string>) => boolean;

async function startHttp(take: Take, port: number): Promise<http.Server> {
  const server = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const answer = (status: number): void => {
        response.writeHead(status, { "content-type": "application/x-protobuf" });
        response.end();
      };
      if (request.method !== "POST" || request.url !== "/v1/traces") return answer(404);
      const whole = Buffer.concat(parts);
      const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(whole) : whole;
      const headers = Object.fromEntries(Object.entries(request.headers).map(([key, value]) => [key, String(value)]));
      answer(take(decodeExport(body), headers) ? 200 : 503);
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function startRpc(take: Take): Promise<{ readonly server: grpc.Server; readonly port: number }> {
  const server = new grpc.Server();
  const receive: grpc.handleUnaryCall<unknown, object> = (call, callback) => {
    const headers = Object.fromEntries(
      Object.entries(call.metadata.getMap()).map(([key, value]) => [key, String(value)]),
    );
    if (take(toSpans(call.request), headers)) callback(null, {});
    else callback({ code: grpc.status.UNAVAILABLE, details: "away" });
  };
  server.addService(traceService(), { Export: receive });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { server, port };
}
