import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { newAdmit } from "./grpc/access.ts";
import type { Authenticate } from "./grpc/access.ts";
import type { Relay } from "./grpc/relay.ts";
import { methodsFor } from "./grpc/roles.ts";
import { openGrpcServer } from "./grpc/server.ts";
import type { GrpcServerOptions } from "./grpc/server.ts";
import { defaultTimeouts, openHttpDoor } from "./http/httpDoor.ts";
import type { HttpTimeouts } from "./http/httpDoor.ts";
import type { EventHooks } from "./processor/eventHooks.ts";
import type { Front } from "./processor/front.ts";
import { listenFor } from "./listener.ts";
import type { TlsFiles } from "./listener.ts";
import { openReadPace } from "./readPace.ts";
import type { ReadPace } from "./readPace.ts";
import { atMost } from "../../runtime/src/shutdown.ts";

export interface FrontServerOptions extends Omit<GrpcServerOptions, "admit"> {
  /** "127.0.0.1:7420"; port 0 lets the system choose. */
  readonly address: string;
  /** The console as it was built; undefined: there is none. */
  readonly consoleFolder?: string | undefined;
  readonly timeouts?: Partial<HttpTimeouts>;
  /** Undefined: no token is asked for. */
  readonly authenticate?: Authenticate | undefined;
  /** Undefined: connections are plain. */
  readonly tls?: TlsFiles | undefined;
  /** Takes what comes for triggers by HTTP; absent: nothing does. */
  readonly hooks?: EventHooks | undefined;
  /** Folder of their secrets. */
  readonly hookSecrets?: string | undefined;
  /** Everybody may come, on purpose (--insecure-listen). */
  readonly isOpen?: boolean;
  /** Has calls of services come here until what it returns is disposed of; undefined: none do. */
  readonly serveRelays?: (carry: Relay["carry"]) => AsyncDisposable;
}

/** The orchestrator's front door: gRPC, JSON over HTTP and the console at one address. */
export interface FrontServer extends AsyncDisposable {
  readonly port: number;
  /** Whether health says SERVING. */
  setServing(isServing: boolean): void;
  /** Takes no new calls, sends waiting callers away with UNAVAILABLE, and resolves when all calls have been answered. */
  drain(): Promise<void>;
}

/** Those that are given an image. */
const imageMethods: ReadonlySet<string> = new Set(["sidestep.v1.Definitions/Deploy", "sidestep.v1.Definitions/Plan"]);
/** JSON writes a control character of one byte as six. */
const jsonGrowth = 6;
const jsonBytesMin = 64 * 1024;
/** For calls of services that are on their way here at a shutdown; one round trip to NATS, while that answers. */
const lastAsksMs = 1_000;

/** Opens it. Throws when the address can't be had. */
export async function openFrontServer(options: FrontServerOptions): Promise<FrontServer> {
  const { address, requestBytesMax, deployBytesMax, log, authenticate, tls } = options;
  const asks = authenticate !== undefined || tls?.clientCa !== undefined;
  await using opened = new AsyncDisposableStack();
  const pace = openReadPace();
  const admit = asks ? newAdmit(authenticate) : undefined;
  const grpc = opened.use(openGrpcServer({ ...options, front: paced(options.front, pace), admit }));
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const http = opened.use(
    openHttpDoor({
      door: {
        find: (path) => grpc.rpcs.find(path),
        services: () => grpc.descriptions.services(),
        contractOf: (service) => grpc.descriptions.contractOf(service),
      },
      // An image travels as base64.
      bodyBytesMax: (method) =>
        (imageMethods.has(method) ? deployBytesMax * 1.4 : requestBytesMax * jsonGrowth) + jsonBytesMin,
      isGuarded: asks || options.isOpen === true,
      authenticate,
      methodsFor,
      isSecure: tls !== undefined,
      consoleFolder: options.consoleFolder,
      hooks: options.hooks && { hooks: options.hooks, secrets: options.hookSecrets, isOpen: !asks, now: Date.now },
      timeouts,
    }),
  );
  const http2 = (one: Socket): void => {
    pace.add(one);
    grpc.accept(one);
  };
  const listener = opened.use(
    await listenFor({ http2, http1: (one) => http.take(one) }, { address, firstBytesMs: timeouts.headersMs, tls, log }),
  );
  const relays = options.serveRelays?.((...call) => grpc.relay.carry(...call));
  opened.defer(async () => relays?.[Symbol.asyncDispose]());
  log.info("the front door is open", { address, port: listener.port });
  const closing = opened.move();
  return {
    port: listener.port,
    setServing: (isServing) => grpc.setServing(isServing),
    drain: async () => {
      listener.close();
      // What was asked of this orchestrator before is asked of no other.
      if (relays !== undefined) await atMost(lastAsksMs, Promise.resolve(relays[Symbol.asyncDispose]()));
      await Promise.all([grpc.drain(), http.drain()]);
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** Tells the pace of each start; all else is the front's own, also what it becomes later. */
function paced(front: Front, pace: ReadPace): Front {
  const start: Front["start"] = (...given) => {
    pace.count();
    return front.start(...given);
  };
  return new Proxy(front, {
    get: (target, name): unknown => (name === "start" ? start : Reflect.get(target, name)),
  });
}

/** Where the console lies: beside a bundle, or where the sources build it, be it later. Undefined: a bundle came without. */
export function findConsole(module = import.meta.url): string | undefined {
  const places = ["./console/", "../console/", "../../console/dist/"].map((place) =>
    fileURLToPath(new URL(place, module)),
  );
  const built = places.find((folder) => existsSync(`${folder}index.html`) && existsSync(`${folder}assets`));
  return built ?? (module.endsWith(".ts") ? places.at(-1) : undefined);
}
