import type { Beats, Control, Questions, WaitCall } from "../../../orchestrator/src/processor/ports.ts";
import { AskReply_Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Ask, Control_Reset, WaitReply, WaitRequest } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import type { Link, Network } from "./network.ts";
import type { World } from "./world.ts";

type Answers = Parameters<Questions["serve"]>[1];

interface Server {
  readonly partition: number;
  readonly link: Link;
  readonly answers: Answers;
}

/** Who listens to what on core NATS. */
export interface Core {
  readonly servers: Set<Server>;
  readonly beats: Map<(orchestrator: string, isRelease: boolean) => void, Link>;
  readonly resets: Map<(reset: Control_Reset) => void, Link>;
  /** Told of each answer to a sidecar. */
  onVerdict: (partition: number, ask: Ask, askedAt: number, verdict: AskReply_Verdict) => void;
  /** Where the log of a partition ends now. */
  endOf: (partition: number) => number;
}

/** Nobody listens. */
export function openCore(): Core {
  return { servers: new Set(), beats: new Map(), resets: new Map(), onVerdict: () => undefined, endOf: () => 0 };
}

/** Life signs. */
export function toBeats(network: Network, link: Link, core: Core): Beats {
  const send = (orchestrator: string, isRelease: boolean): void =>
    network.cast(link, "core", () => {
      for (const [listener, to] of core.beats) network.deliver(to, () => listener(orchestrator, isRelease));
    });
  return {
    beat: (orchestrator) => send(orchestrator, false),
    released: (orchestrator) => send(orchestrator, true),
    listen: (onBeat) => {
      core.beats.set(onBeat, link);
      return { [Symbol.dispose]: () => void core.beats.delete(onBeat) };
    },
  };
}

/** Resets of calls, told to all sidecars. */
export function toControl(network: Network, link: Link, core: Core): Control {
  return {
    reset: (_method, runId, attempt, token) =>
      network.cast(link, "core", () => {
        for (const [listener, to] of core.resets)
          network.deliver(to, () => listener({ runId: fromHex(runId), attempt, token }));
      }),
  };
}

const askTimeoutMs = 3_000;

/** A sidecar's question; undefined: nobody answered in time. The first answer counts. */
export function askOwner(
  world: World,
  network: Network,
  link: Link,
  core: Core,
  partition: number,
  ask: Ask,
): Promise<AskReply_Verdict | undefined> {
  const { scheduler } = world;
  return new Promise((resolve) => {
    const timeout = scheduler.after(link.process, askTimeoutMs, () => resolve(undefined));
    const answer = (verdict: AskReply_Verdict | undefined): void => {
      scheduler.cancel(timeout);
      resolve(verdict);
    };
    network.cast(link, "core", () => {
      const askedAt = core.endOf(partition);
      const servers = serversOf(core, partition);
      if (servers.length === 0) network.deliver(link, () => answer(undefined));
      for (const server of servers) {
        network.deliver(server.link, () => {
          void server.answers
            .ask(ask)
            .catch(() => AskReply_Verdict.NOT_NOW)
            .then((verdict) => {
              core.onVerdict(partition, ask, askedAt, verdict);
              network.cast(server.link, "core", () => network.deliver(link, () => answer(verdict)));
            });
        });
      }
    });
  });
}

function serversOf(core: Core, partition: number): readonly Server[] {
  return [...core.servers].filter((server) => server.partition === partition && server.link.process.isAlive);
}

/** Questions to owners, and who answers them. */
export function toQuestions(world: World, network: Network, link: Link, core: Core): Questions {
  return {
    serve: (partition, answers) => {
      const server = { partition, link, answers };
      core.servers.add(server);
      return { [Symbol.dispose]: () => void core.servers.delete(server) };
    },
    onReconnect: (listener) => {
      link.onReconnect.add(listener);
      return () => void link.onReconnect.delete(listener);
    },
    wait: (partition, request, onReply) => {
      const call = { isOpen: true };
      return {
        ask: () => askWait(world, network, link, core, { partition, request, onReply, call }),
        [Symbol.dispose]: () => void (call.isOpen = false),
      };
    },
  };
}

const waitTimeoutMs = 5_000;

interface Waiting {
  readonly partition: number;
  readonly request: Omit<WaitRequest, "notify">;
  readonly onReply: (reply: WaitReply) => void;
  readonly call: { isOpen: boolean };
}

function askWait(
  { scheduler }: World,
  network: Network,
  link: Link,
  core: Core,
  { partition, request, onReply, call }: Waiting,
): ReturnType<WaitCall["ask"]> {
  return new Promise((resolve) => {
    const timeout = scheduler.after(link.process, waitTimeoutMs, () => resolve(undefined));
    const answer = (reply: WaitReply | undefined): void => {
      scheduler.cancel(timeout);
      resolve(reply);
    };
    network.cast(link, "core", () => {
      const servers = serversOf(core, partition);
      if (servers.length === 0) network.deliver(link, () => answer(undefined));
      for (const server of servers) {
        network.deliver(server.link, () => {
          let isFirst = true;
          server.answers.wait({ ...request, notify: "inbox" }, (reply) => {
            const first = isFirst;
            isFirst = false;
            network.cast(server.link, "core", () =>
              network.deliver(link, () => {
                if (first) answer(reply);
                else if (call.isOpen) onReply(reply);
              }),
            );
          });
        });
      }
    });
  });
}
