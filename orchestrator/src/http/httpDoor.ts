import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { code } from "../../../proto/wire/status.ts";
import { answerJson } from "./answers.ts";
import { consolePath, openConsoleFiles } from "./consoleFiles.ts";
import { openBodies } from "./body.ts";
import { openContracts } from "./contracts.ts";
import { answerHook, hooksPath } from "./hooks.ts";
import type { HookOptions } from "./hooks.ts";
import { httpError } from "./httpError.ts";
import { answerRpc, methodOfPath } from "./jsonRpc.ts";
import type { JsonRpcOptions } from "./jsonRpc.ts";
import { answerOtlp, otlpPath } from "./otlpDoor.ts";
import { foreignRequest } from "./origin.ts";
import type { RpcDoor } from "./rpcDoor.ts";
import { answerSession, sessionPath } from "./session.ts";
import type { Authenticate, SessionOptions } from "./session.ts";

export interface HttpDoorOptions {
  readonly door: RpcDoor;
  readonly bodyBytesMax: (method: string) => number;
  /** Callers need a token, or may come from everywhere on purpose: names of this address are not looked at. */
  readonly isGuarded: boolean;
  /** Undefined: no token is asked for. */
  readonly authenticate: Authenticate | undefined;
  readonly methodsFor: SessionOptions["methodsFor"];
  /** TLS is spoken. */
  readonly isSecure: boolean;
  /** The console as it was built; undefined: there is none. */
  readonly consoleFolder: string | undefined;
  /** Undefined: triggers are not called here. */
  readonly hooks: Omit<HookOptions, "bodies"> | undefined;
  readonly timeouts: HttpTimeouts;
}

/** How long a client may take. */
export interface HttpTimeouts {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly keepAliveMs: number;
}

/** HTTP/1.1 on connections that somebody else accepted: JSON for the rpcs, and the console. */
export interface HttpDoor extends AsyncDisposable {
  take(connection: Duplex): void;
  /** Takes no new requests on what is open, and resolves when all have been answered. */
  drain(): Promise<void>;
}

/** Bytes of all bodies that are being read at one time. */
const bodiesBytesMax = 128 * 1024 * 1024;
/** For clients near and far. */
export const defaultTimeouts: HttpTimeouts = { headersMs: 10_000, requestMs: 60_000, keepAliveMs: 30_000 };

/** Opens it. It answers until it is disposed of. */
export function openHttpDoor(options: HttpDoorOptions): HttpDoor {
  const { headersMs, requestMs, keepAliveMs } = options.timeouts;
  const rpc: JsonRpcOptions = {
    door: options.door,
    contracts: openContracts(options.door),
    bodies: openBodies(bodiesBytesMax),
    bodyBytesMax: options.bodyBytesMax,
  };
  const { authenticate, methodsFor, isSecure } = options;
  const session = { authenticate, methodsFor, isSecure, bodies: rpc.bodies };
  const hooks = options.hooks && { ...options.hooks, bodies: rpc.bodies };
  const files = openConsoleFiles(options.consoleFolder);
  const connections = new Set<Duplex>();
  const working = new Set<ServerResponse>();
  let idle = (): void => undefined;
  let isClosing = false;
  const server = createServer(
    { connectionsCheckingInterval: Math.min(headersMs, 5_000), headersTimeout: headersMs, requestTimeout: requestMs },
    (request, response) => {
      working.add(response);
      response.on("close", () => {
        working.delete(response);
        if (working.size === 0) idle();
      });
      if (isClosing) response.setHeader("connection", "close");
      void route(request, response);
    },
  );
  server.keepAliveTimeout = keepAliveMs;
  // It never listens itself, and looks for slow clients only after it has begun to.
  server.emit("listening");
  const route = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = URL.parse(request.url ?? "/", "http://here");
    const { host, origin } = request.headers;
    const refusal = foreignRequest({ host, origin, fetchSite: fetchSite(request) }, options.isGuarded);
    if (hooks !== undefined && url?.pathname.startsWith(hooksPath) === true)
      return answerHook(url.pathname.slice(hooksPath.length), request, response, refusal, hooks);
    if (url === null || refusal !== undefined) {
      const { status, body } = httpError(code.PERMISSION_DENIED, refusal ?? "the path is none");
      return answerJson(response, status, body);
    }
    if (url.pathname === sessionPath) return answerSession(request, response, session);
    if (url.pathname === otlpPath) return answerOtlp(request, response, rpc);
    const method = methodOfPath(url.pathname);
    if (method !== undefined && !url.pathname.startsWith(consolePath))
      return answerRpc(method, url, request, response, rpc);
    if (url.pathname === "/" || url.pathname === "/console")
      return void response.writeHead(302, { location: consolePath, "cache-control": "no-store" }).end();
    if (url.pathname.startsWith(consolePath)) return files.answer(url.pathname, request, response);
    const { status, body } = httpError(code.NOT_FOUND, "nothing is here; rpcs are at /package.Service/Method");
    answerJson(response, status, body);
  };
  return {
    take: (connection) => {
      connections.add(connection);
      connection.on("close", () => connections.delete(connection));
      server.emit("connection", connection);
    },
    drain: async () => {
      isClosing = true;
      if (working.size > 0) await new Promise<void>((resolve) => (idle = resolve));
      for (const connection of connections) connection.destroy();
    },
    [Symbol.asyncDispose]: () => {
      for (const connection of connections) connection.destroy();
      server.close();
      return Promise.resolve();
    },
  };
}

function fetchSite(request: IncomingMessage): string | undefined {
  const given = request.headers["sec-fetch-site"];
  // A click on a link somewhere may lead to a page of the console; it can't call anything.
  const isPage = request.headers["sec-fetch-mode"] === "navigate" && request.method === "GET";
  return typeof given === "string" && !isPage ? given : undefined;
}
