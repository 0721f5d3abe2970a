import { status } from "@grpc/grpc-js";
import { review } from "../../examples/order/demo/orders.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { connectTo } from "../support/connectTo.ts";
import { makeOrder, openOrderClient } from "../support/orderClient.ts";
import type { Order, OrderClient } from "../support/orderClient.ts";
import type { OrderServiceName } from "../support/orderServices.ts";
import type { OrderStack } from "../support/orderStack.ts";
import { kill } from "./kill.ts";

/** What is killed: the orchestrator, or sidecar or service of the step at hand. */
export const victims = ["orchestrator", "sidecar", "service"] as const;
export type SweptVictim = (typeof victims)[number];

/** An order, and what the services' journals must say of it once its run has ended, whatever died. */
interface Story {
  readonly order: (id: string) => Order;
  readonly isReviewed: boolean;
  readonly state: Run_State;
  /** Effects that there must be, each once. */
  readonly done: readonly string[];
  /** Effects that undo, each once. */
  readonly undone: readonly string[];
}

export const stories: Readonly<Record<string, Story>> = {
  good: {
    order: (id) => makeOrder(id),
    isReviewed: false,
    state: Run_State.COMPLETED,
    done: ["Reserve", "Charge", "Label", "Ship"],
    undone: [],
  },
  reviewed: {
    order: (id) => ({ ...makeOrder(id, 5_000), pay_by_invoice: true }),
    isReviewed: true,
    state: Run_State.COMPLETED,
    done: ["Reserve", "Charge", "Label", "Ship"],
    undone: [],
  },
  // No carrier goes there: all is undone.
  moon: {
    order: (id) => ({ ...makeOrder(id), address: "Moon Base 1" }),
    isReviewed: false,
    state: Run_State.COMPENSATED,
    done: ["Reserve", "Charge", "Label"],
    undone: ["Refund", "Release"],
  },
};

const forward = new Set(["Reserve", "Charge", "Label", "Ship"]);
const serviceNames = ["inventory", "payment", "shipping"] as const;

/** One row of the table. */
export interface Sweep {
  readonly story: string;
  readonly victim: SweptVictim;
  /** Durable writes of a run that nothing disturbs. */
  readonly boundaries: number;
  readonly kills: number;
  readonly breaches: readonly string[];
}

/**
 * Runs the story once undisturbed and counts what it makes durable: events, outcomes, tasks, timers. Then once for each of them, with a kill -9 of the
 * victim as soon as the acknowledgement of that write is seen here.
 */
export async function sweep(
  stack: OrderStack,
  name: string,
  victim: SweptVictim,
  progress: (line: string) => void,
): Promise<Sweep> {
  const story = stories[name];
  const address = stack.orchestrators[0]?.address;
  if (story === undefined || address === undefined) throw new Error(`no story ${name}`);
  await using client = openOrderClient(address);
  await using writes = await watchWrites(stack.nats.url);
  const breaches: string[] = [];
  const play = async (at: number): Promise<{ readonly written: number; readonly isKilled: boolean }> => {
    const orderId = `${name}-${victim}-${at}`;
    await writes.quiet();
    let killed: Promise<void> | undefined;
    let behind = "nothing";
    writes.start((count, subject, service) => {
      if (count !== at) return;
      behind = subject;
      killed = kill(stack, victim, { orchestrator: 0, service });
    });
    const runId = await untilAnswered(client, address, story, orderId);
    const written = writes.count();
    await killed;
    const { run } = await client.get(runId);
    const wrong = judge(stack, story, orderId, run?.state);
    breaches.push(...wrong);
    progress([`${name}: ${victim} killed behind ${behind}`, ...wrong].join("; "));
    return { written, isKilled: killed !== undefined };
  };
  const { written } = await play(0);
  let kills = 0;
  for (let at = 1; at <= written; at++) if ((await play(at)).isKilled) kills++;
  return { story: name, victim, boundaries: written, kills, breaches };
}

/** What the journals say that they must not, one sentence each. */
function judge(stack: OrderStack, story: Story, orderId: string, state: Run_State | undefined): readonly string[] {
  const effects = serviceNames
    .flatMap((name) => stack.services[name].journal())
    .filter((it) => it.order === orderId && it.outcome === "effect");
  const countOf = (method: string): number => effects.filter((it) => it.method === method).length;
  const wrong: string[] = [];
  if (state !== story.state) wrong.push(`${orderId}: state ${state}, expected ${story.state}`);
  for (const method of [...story.done, ...story.undone])
    if (countOf(method) !== 1) wrong.push(`${orderId}: ${method} has ${countOf(method)} effects`);
  if (story.undone.length === 0 && effects.some((it) => !forward.has(it.method)))
    wrong.push(`${orderId}: something was undone`);
  if (story.undone.length > 0 && countOf("Ship") > 0) wrong.push(`${orderId}: shipped and undone`);
  if (new Set(effects.map((it) => `${it.method} ${it.key}`)).size !== effects.length)
    wrong.push(`${orderId}: two effects of one idempotency key`);
  const firstUndo = effects.filter((it) => !forward.has(it.method)).map((it) => it.time);
  const lastDone = effects.filter((it) => forward.has(it.method)).map((it) => it.time);
  if (firstUndo.length > 0 && (firstUndo.toSorted()[0] ?? "") < (lastDone.toSorted().at(-1) ?? ""))
    wrong.push(`${orderId}: done after something was undone`);
  return wrong;
}

/** Calls as a patient client does; the review is sent until it is taken. */
async function untilAnswered(client: OrderClient, address: string, story: Story, orderId: string): Promise<string> {
  let isReviewed = !story.isReviewed;
  const reviewing = (async () => {
    for (const until = Date.now() + 60_000; !isReviewed && Date.now() < until; await pause(200))
      isReviewed = await review(address, orderId, "ann").then(
        () => true,
        () => false,
      );
  })();
  for (const until = Date.now() + 120_000; Date.now() < until; await pause(50)) {
    const answer = await client.fulfil(story.order(orderId), 30_000);
    const isRefused = answer.kind === "error" && answer.error.code === status.FAILED_PRECONDITION;
    if (answer.runId === "" || !(answer.kind === "ok" || isRefused)) continue;
    await reviewing;
    return answer.runId;
  }
  throw new Error(`order ${orderId} is not answered after two minutes`);
}

/** Follows what the servers acknowledge as stored of the one run that is under way. */
interface Writes extends AsyncDisposable {
  /** Counts from 0; `onWrite` hears of each acknowledged write at once, with its subject and the service that was last named. */
  readonly start: (onWrite: (count: number, subject: string, service: OrderServiceName) => void) => void;
  readonly count: () => number;
  /** Nothing has been written for a while. */
  readonly quiet: () => Promise<void>;
}

async function watchWrites(url: string): Promise<Writes> {
  const nats = await connectTo(url, "boundaries");
  const open = new Map<string, string>();
  let count = 0;
  let latest = Date.now();
  let service: OrderServiceName = "inventory";
  let heard: Parameters<Writes["start"]>[0] = () => undefined;
  const everything = nats.connection.subscribe(">", {
    callback: (error, message) => {
      if (error !== null) return;
      // A delivery to a consumer has the task's subject too; its reply is where it is acknowledged by the sidecar.
      const reply = message.reply ?? "";
      if (reply !== "" && !reply.startsWith("$JS.") && isWrite.test(message.subject)) open.set(reply, message.subject);
      const subject = open.get(message.subject);
      if (subject === undefined) return;
      open.delete(message.subject);
      if (message.string().includes('"error"')) return;
      latest = Date.now();
      service = serviceNames.find((name) => subject.includes(`.${name}`)) ?? service;
      count += 1;
      heard(count, subject, service);
    },
  });
  await nats.connection.flush();
  return {
    start: (onWrite) => {
      count = 0;
      heard = onWrite;
    },
    count: () => count,
    quiet: async () => {
      heard = () => undefined;
      for (latest = Math.max(latest, Date.now() - 200); Date.now() - latest < 300;) await pause(50);
    },
    [Symbol.asyncDispose]: async () => {
      everything.unsubscribe();
      await nats[Symbol.asyncDispose]();
    },
  };
}

/** Events, outcomes, tasks and timers, but not what owners write for themselves. */
const isWrite = /^sidestep\.(log\.\d+\.[0-9a-f]{32}\.|out\.|task\.|timer\.\d+\.[0-9a-f]{32}\.)/;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
