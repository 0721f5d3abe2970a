import { code } from "../../proto/wire/status.ts";
import { splitMethod } from "../../proto/wire/subjects.ts";
import type { Names } from "../../proto/wire/subjects.ts";
import type { Log } from "../../runtime/src/log.ts";
import type { Nats } from "../../runtime/src/natsConnection.ts";
import { toPayloads } from "../../runtime/src/payloads.ts";
import { openPublisher } from "../../runtime/src/publisher.ts";
import { atMost } from "../../runtime/src/shutdown.ts";
import type { Slots } from "./core/slots.ts";
import { parseTarget } from "./grpc/target.ts";
import { openWayIn } from "./grpc/wayInServer.ts";
import type { WayIn } from "./grpc/wayInServer.ts";
import { openMeshCalls } from "./meshCalls.ts";
import { openMesh } from "./nats/mesh.ts";
import { serveMesh } from "./nats/meshServer.ts";
import { openRelay } from "./nats/relay.ts";
import { parseAllowed } from "./config.ts";
import type { SidecarSettings } from "./config.ts";
import type { Service } from "./ports.ts";
import { failedEnd } from "./core/callEnd.ts";
import { toldCalls } from "./toldCalls.ts";
import type { CarryCall } from "./wayIn.ts";

export interface PassageOptions {
  readonly settings: Pick<SidecarSettings, "listen" | "mesh" | "meshAllow" | "expose">;
  readonly nats: Nats;
  readonly names: Names;
  /** Shared with tasks. */
  readonly slots: Slots;
  /** Services that are found beside us. */
  readonly found: () => readonly string[];
  /** One that is healthy and takes calls; undefined: it does not. */
  readonly provider: (service: string) => Service | undefined;
  /** A call of the service, or for it, has ended. */
  readonly onEnded: (direction: "out" | "in", method: string, number: number, durationMs: number) => void;
  readonly log: Log;
}

/** What passes the sidecar besides tasks: calls that its service makes, and calls of other services. */
export interface Passage extends AsyncDisposable {
  /** Takes no new calls, and resolves when those under way have ended, at the latest after so many ms. */
  drain(boundMs: number): Promise<void>;
}

/** As the orchestrator takes them. */
const requestBytesMax = 4 * 1024 * 1024;

/** Opens what the settings ask for. Throws when the address can't be had. */
export async function openPassage(options: PassageOptions): Promise<Passage> {
  const { settings, nats, names } = options;
  await using opened = new AsyncDisposableStack();
  const wayIn = settings.listen === undefined ? undefined : await listen(settings.listen, options, opened);
  const allowed = Map.groupBy(
    settings.meshAllow.flatMap((one) => parseAllowed(one) ?? []),
    ({ called }) => called,
  );
  const { slots, provider, onEnded } = options;
  const calls = openMeshCalls({ slots, provider, onEnded: (...about) => onEnded("in", ...about) });
  const served = [...allowed].map(([service, pairs]) =>
    serveMesh(
      nats,
      names,
      service,
      pairs.map(({ caller }) => caller),
      calls,
    ),
  );
  const closing = opened.move();
  return {
    drain: async (boundMs) => {
      // Who has asked already is refused, and asks another one.
      const ended = Promise.all(served.map((one) => one[Symbol.asyncDispose]()));
      await Promise.all([wayIn?.drain(boundMs), atMost(boundMs, ended).then(() => calls.drain(boundMs))]);
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** Where the service beside us calls others. */
async function listen(listenAt: string, options: PassageOptions, opened: AsyncDisposableStack): Promise<WayIn> {
  const { settings, nats, names, found, onEnded, log } = options;
  const at = parseTarget(listenAt);
  if (at === undefined) throw new Error(`--listen ${listenAt} is no address`);
  const publisher = opened.use(openPublisher(nats.connection));
  const relay = opened.use(openRelay({ nats, names, payloads: toPayloads(nats.connection, publisher, names) }));
  const mesh = openMesh(nats, names);
  const named = settings.expose[0]?.split("@", 1)[0];
  const carry: CarryCall = (call, answer) => {
    const caller = named ?? found()[0];
    if (caller === undefined) {
      answer.end(failedEnd(code.UNAVAILABLE, unknownCaller));
      return () => undefined;
    }
    const isMesh = settings.mesh.includes(splitMethod(call.method).service);
    return isMesh ? mesh.carry(caller, call, answer) : relay.carry(caller, call, answer);
  };
  const told = toldCalls(carry, (...about) => onEnded("out", ...about), performance.now.bind(performance));
  const isServing = (): boolean => nats.isConnected();
  const wayIn = opened.use(await openWayIn({ at, requestBytesMax, carry: told, isServing, log }));
  log.info("the service may call workflows here", { listen: listenAt, mesh: settings.mesh });
  return {
    ...wayIn,
    drain: (boundMs) => {
      relay.leave();
      return wayIn.drain(boundMs);
    },
  };
}

const unknownCaller =
  "the sidecar can't say who calls, for it has found no service yet: call again; one without reflection is named with --expose";
