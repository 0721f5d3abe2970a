import { readFileSync } from "node:fs";
import { connect, credsAuthenticator, errors, nkeyAuthenticator } from "@nats-io/transport-node";
import type { NatsConnection, NodeConnectionOptions, Server } from "@nats-io/transport-node";
import { errorText } from "./log.ts";
import type { Log } from "./log.ts";
import { unfitness } from "./natsServer.ts";
import type { NatsSettings } from "./natsSettings.ts";
import { pause } from "./pause.ts";
import { atMost } from "./shutdown.ts";

/** A connection that is kept for ever: it comes back by itself after any outage. */
export interface Nats extends AsyncDisposable {
  readonly connection: NatsConnection;
  isConnected(): boolean;
  /** When the present connection began, by this machine's clock; the last one's while there is none. */
  connectedAtMs(): number;
  /** How often it came back. */
  reconnects(): number;
  /** Called after each reconnect, when subscriptions stand again. Returns how to stop that. */
  onReconnect(listener: () => void): () => void;
  /** Called when the connection is lost. Returns how to stop that. */
  onDisconnect(listener: () => void): () => void;
  /**
   * Called when the server is going to stop and there are others: the connection goes to another one as soon as what all listeners promise has
   * been done, within half a second. Returns how to stop that.
   */
  onLeaving(listener: () => Promise<void>): () => void;
}

/** NATS can't be used as it is configured; waiting would not help. */
export class NatsError extends Error {
  readonly code: "UNFIT_SERVER" | "REFUSED" | "BAD_SETTINGS";
  constructor(code: NatsError["code"], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "NatsError";
    this.code = code;
  }
}

const pauseMaxMs = 2_000;
const dialTimeoutMs = 5_000;
/** Where there are others: one that takes connections and then stands still would keep us from them. */
const dialTimeoutOfManyMs = 2_000;
/** A server that answers no more is left at the fourth ping. */
const pingEveryMs = 1_000;
/** Where there are others: before an election has hardly begun, and before an orchestrator's beats are missed. */
const pingEveryOfManyMs = 600;
/** A server in lame duck mode keeps its clients for some seconds more. */
const leavingMs = 500;

/**
 * Connects, waiting for a server that is not there yet, until `signal` aborts. Throws NatsError for what a person has to mend: a
 * server of an unfit version, refused credentials, files that can't be read. Later outages are survived, refusals included.
 */
export async function openNats(
  settings: NatsSettings,
  options: { readonly name: string; readonly log: Log; readonly signal: AbortSignal },
): Promise<Nats> {
  const { log, signal } = options;
  const link = { connectedAtMs: 0, lostAtMs: Date.now() };
  const connectionOptions = toConnectionOptions(settings, options.name, () => Date.now() - link.lostAtMs);
  const connection = await dial(connectionOptions, log, signal);
  const unfit = unfitness(connection.info ?? { version: "?" });
  if (unfit !== undefined) {
    await connection.close();
    throw new NatsError("UNFIT_SERVER", `${unfit} (${connection.getServer()})`);
  }
  log.info("connected to NATS", { server: connection.getServer(), version: connection.info?.version });
  return follow(connection, link, log, settings.natsUrl.length > 1);
}

function follow(
  connection: NatsConnection,
  link: { connectedAtMs: number; lostAtMs: number },
  log: Log,
  hasOthers: boolean,
): Nats {
  const onReconnect = new Set<() => void>();
  const onDisconnect = new Set<() => void>();
  const onLeaving = new Set<() => Promise<void>>();
  let isConnected = true;
  let reconnects = 0;
  link.connectedAtMs = Date.now();
  const watch = async (): Promise<void> => {
    for await (const status of connection.status()) {
      switch (status.type) {
        case "disconnect":
          if (!isConnected) break;
          isConnected = false;
          link.lostAtMs = Date.now();
          log.warn("lost the connection to NATS", { server: status.server });
          onDisconnect.forEach((listener) => listener());
          break;
        case "reconnect": {
          isConnected = true;
          reconnects += 1;
          link.connectedAtMs = Date.now();
          log.info("connected to NATS again", { server: status.server, awayMs: link.connectedAtMs - link.lostAtMs });
          const unfit = unfitness(connection.info ?? { version: "?" });
          if (unfit !== undefined) log.error("the NATS server that answers now is unfit", { unfit });
          onReconnect.forEach((listener) => listener());
          break;
        }
        case "ldm":
          log.info("the NATS server is going to stop", { server: status.server });
          // Of one server all connections end, and no other takes them.
          if (hasOthers || (connection.info?.connect_urls ?? []).length > 1) void leave(connection, onLeaving);
          break;
        case "error":
          log.warn("NATS reports an error", { error: status.error });
          break;
        case "slowConsumer":
          log.warn("a subscription falls behind", { pending: status.pending });
          break;
        case "reconnecting":
        case "staleConnection":
        case "forceReconnect":
        case "update":
        case "ping":
        case "close":
          break;
      }
    }
  };
  void watch();
  return {
    connection,
    isConnected: () => isConnected && !connection.isClosed(),
    connectedAtMs: () => link.connectedAtMs,
    reconnects: () => reconnects,
    onReconnect: (listener) => listen(onReconnect, listener),
    onDisconnect: (listener) => listen(onDisconnect, listener),
    onLeaving: (listener) => listen(onLeaving, listener),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

/** Goes to another server when all who listen are ready to, or have had their time. */
async function leave(connection: NatsConnection, onLeaving: ReadonlySet<() => Promise<void>>): Promise<void> {
  const { client_id: before } = connection.info ?? {};
  await atMost(leavingMs, Promise.allSettled([...onLeaving].map((listener) => listener())));
  await atMost(leavingMs, Promise.allSettled([connection.isClosed() ? undefined : connection.flush()]));
  if (!connection.isClosed() && connection.info?.client_id === before) await connection.reconnect();
}

function listen<T>(set: Set<T>, listener: T): () => void {
  set.add(listener);
  return () => void set.delete(listener);
}

async function dial(options: NodeConnectionOptions, log: Log, signal: AbortSignal): Promise<NatsConnection> {
  let told = "";
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, pauseMaxMs)) {
    signal.throwIfAborted();
    try {
      return await connect(options);
    } catch (error) {
      if (isRefusal(error)) throw new NatsError("REFUSED", `NATS refuses the connection: ${errorText(error)}`, error);
      const reason = errorText(error);
      if (reason !== told) log.warn("waiting for NATS", { servers: options.servers, error: reason });
      told = reason;
    }
    await pause(pauseMs, signal);
  }
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof errors.AuthorizationError ||
    error instanceof errors.UserAuthenticationExpiredError ||
    error instanceof errors.InvalidArgumentError
  );
}

function toConnectionOptions(settings: NatsSettings, name: string, awayMs: () => number): NodeConnectionOptions {
  const login = loginOf(settings);
  const isTls = settings.natsUrl.some((url) => url.startsWith("tls://"));
  const tls = {
    ...(settings.natsCa === undefined ? {} : { ca: readText(settings.natsCa, "NATS_CA") }),
    ...(settings.natsCert === undefined ? {} : { cert: readText(settings.natsCert, "NATS_CERT") }),
    ...(settings.natsKey === undefined ? {} : { key: readText(settings.natsKey, "NATS_KEY") }),
  };
  return {
    ...login,
    name,
    servers: settings.natsUrl.map(withoutLogin),
    ...(isTls || Object.keys(tls).length > 0 ? { tls } : {}),
    timeout: settings.natsUrl.length > 1 ? dialTimeoutOfManyMs : dialTimeoutMs,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    // The pause grows with the outage, and never in step with the other processes.
    reconnectDelayHandler: () => Math.min(Math.max(awayMs() / 2, 50), pauseMaxMs) * (0.75 + Math.random() / 4),
    pingInterval: settings.natsUrl.length > 1 ? pingEveryOfManyMs : pingEveryMs,
    maxPingOut: 3,
    // The one that was lost last: it may stand still, take the connection and say nothing.
    reconnectToServer: ([first, ...rest]) => (first === undefined ? null : rest.reduce(leastDialed, first)),
    // An error trace for each request costs a quarter of the throughput.
    noAsyncTraces: true,
  };
}

function leastDialed(one: Server, other: Server): Server {
  return other.lastConnect < one.lastConnect ? other : one;
}

function loginOf(settings: NatsSettings): Partial<NodeConnectionOptions> {
  if (settings.natsCreds !== undefined)
    return { authenticator: credsAuthenticator(readBytes(settings.natsCreds, "NATS_CREDS")) };
  if (settings.natsNkey !== undefined) {
    return {
      authenticator: nkeyAuthenticator(new TextEncoder().encode(readText(settings.natsNkey, "NATS_NKEY").trim())),
    };
  }
  if (settings.natsUser !== undefined) return { user: settings.natsUser, pass: settings.natsPassword ?? "" };
  if (settings.natsToken !== undefined) return { token: settings.natsToken };
  for (const url of settings.natsUrl) {
    const login = /^(?:[a-z]+:\/\/)?([^@/:]+)(?::([^@/]*))?@/.exec(url);
    if (login === null) continue;
    const [, user = "", password] = login;
    return password === undefined
      ? { token: decodeURIComponent(user) }
      : { user: decodeURIComponent(user), pass: decodeURIComponent(password) };
  }
  return {};
}

function withoutLogin(url: string): string {
  return url.replace(/^([a-z]+:\/\/)?[^@/]+@/, "$1");
}

function readBytes(file: string, variable: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new NatsError("BAD_SETTINGS", `${variable} names ${file}, which can't be read: ${errorText(error)}`, error);
  }
}

function readText(file: string, variable: string): string {
  return new TextDecoder().decode(readBytes(file, variable));
}
