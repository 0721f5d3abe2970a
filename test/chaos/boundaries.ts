import { status } from "@grpc/grpc-js";
import { review } from "../../examples/order/demo/orders.ts";
import { openOrderClient } from "../support/orderClient.ts";
import type { OrderClient } from "../support/orderClient.ts";
import type { OrderStack } from "../support/orderStack.ts";
import { judge } from "./judge.ts";
import { kill } from "./kill.ts";
import { stories } from "./stories.ts";
import type { Story } from "./stories.ts";
import { watchWrites } from "./writes.ts";

/** What is killed: the orchestrator, or sidecar or service of the step at hand. */
export const victims = ["orchestrator", "sidecar", "service"] as const;
export type SweptVictim = (typeof victims)[number];

/** One row of the table. */
export interface Sweep {
  readonly story: string;
  readonly victim: SweptVictim;
  /** Durable writes of the last order, which nothing disturbed. */
  readonly writes: number;
  readonly kills: number;
  readonly breaches: readonly string[];
}

/**
 * Plays the story again and again, with a kill -9 of the victim as soon as the acknowledgement of the first, second, third … durable write is seen
 * here: event, outcome, task, timer. The order that ends before its write is there has been undisturbed, and is the last.
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
      behind = `${subject} (${service})`;
      killed = kill(stack, victim, { orchestrator: 0, service });
    });
    const startedMs = performance.now();
    const runIds = await untilAnswered(client, address, story, orderId);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    const written = writes.count();
    await killed;
    const { run } = await client.get([...runIds][0] ?? "");
    const journal = stack.services.all.flatMap((service) => service.journal());
    const wrong = judge(story, { orderId, runIds, state: run?.state, journal });
    breaches.push(...wrong);
    progress([`${orderId}: killed behind ${behind}, answered after ${seconds} s`, ...wrong].join("; "));
    return { written, isKilled: killed !== undefined };
  };
  for (let kills = 0; kills < writesMax; kills++) {
    const { written, isKilled } = await play(kills + 1);
    if (!isKilled) return { story: name, victim, writes: written, kills, breaches };
  }
  throw new Error(`an order makes more than ${writesMax} durable writes`);
}

const writesMax = 100;

/** Calls as a patient client does, and says of which runs it was told; the review is sent until it is taken. */
async function untilAnswered(
  client: OrderClient,
  address: string,
  story: Story,
  orderId: string,
): Promise<ReadonlySet<string>> {
  const runIds = new Set<string>();
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
    if (answer.runId !== "") runIds.add(answer.runId);
    const isRefused = answer.kind === "error" && answer.error.code === status.FAILED_PRECONDITION;
    if (answer.runId === "" || !(answer.kind === "ok" || isRefused)) continue;
    await reviewing;
    return runIds;
  }
  throw new Error(`order ${orderId} is not answered after two minutes`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
