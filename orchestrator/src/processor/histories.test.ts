import { expect, test } from "vitest";
import { HistoryEvent_Kind as Kind } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { startNats } from "../../../test/support/nats.ts";
import { makePlan, makeWait, openOrchestrator } from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { openHistories } from "./histories.ts";

const within = (): AbortSignal => AbortSignal.timeout(20_000);

/** Histories of an orchestrator's runs, and how often one was read from the log. */
function toHistories({ ports, layouts }: Orchestrator, plan: LoadedPlan) {
  const loads: RunId[] = [];
  const histories = openHistories({
    layouts,
    logOf: (partition) => {
      const log = ports.logOf(partition);
      return {
        ...log,
        load: (runId) => {
          loads.push(runId);
          return log.load(runId);
        },
        positions: (runId) => log.positions(runId),
      };
    },
    plans: { load: () => Promise.resolve(plan) },
    payloads: ports.payloads,
    credentials: { token: () => new Uint8Array(), isAuthentic: () => true },
  });
  return { histories, loads };
}

const about = (requestId: string) => ({ reason: "", actor: "ann", requestId });

test("pages of a history go on from each other: together they are the whole, and the run is read once", async () => {
  await using server = await startNats();
  const plan = makePlan(["a", "b", "c"].map((name) => makeWait(name, 1)));
  await using orchestrator = await openOrchestrator(server.url, plan);
  const { front } = orchestrator.processor;
  const runId = await orchestrator.begin(plan);
  expect((await front.wait(runId, within())).kind).toBe("ended");
  const { histories, loads } = toHistories(orchestrator, plan);
  const whole = await histories.read(runId, 0, 1_000);
  expect(whole?.events.map(({ kind }) => kind)).toEqual([
    Kind.RUN_STARTED,
    Kind.TIMER_FIRED,
    Kind.TIMER_FIRED,
    Kind.TIMER_FIRED,
    Kind.RUN_ENDED,
  ]);
  loads.length = 0;
  const pages = [];
  for (let after: number | undefined = 0; after !== undefined;) {
    const page: Awaited<ReturnType<typeof histories.read>> = await histories.read(runId, after, 2);
    pages.push(...(page?.events ?? []));
    after = page?.next;
  }
  expect(pages).toEqual(whole?.events);
  expect(loads).toEqual([runId]);
  // A page that was read once is there a second time.
  const [, second] = whole?.events ?? [];
  const again = await histories.read(runId, Number(second?.sequence), 2);
  expect(again?.events).toEqual(whole?.events.slice(2, 4));
});

test("what comes between two pages is in the next one; of a run that is deleted between them there is none", async () => {
  await using server = await startNats();
  const plan = makePlan([makeWait("long", 3_600_000)]);
  await using orchestrator = await openOrchestrator(server.url, plan);
  const { front } = orchestrator.processor;
  const runId = await orchestrator.begin(plan);
  const ask = (kind: "pause" | "resume" | "terminate" | "delete", id: string) =>
    front.request(runId, { kind, event: about(id) }, within());
  await ask("pause", "1");
  const { histories } = toHistories(orchestrator, plan);
  const first = await histories.read(runId, 0, 1);
  await ask("resume", "2");
  await ask("terminate", "3");
  expect((await front.wait(runId, within())).kind).toBe("ended");
  const second = await histories.read(runId, first?.next ?? 0, 3);
  expect(second?.events.map(({ kind }) => kind)).toEqual([
    Kind.PAUSE_REQUESTED,
    Kind.RESUME_REQUESTED,
    Kind.TERMINATE_REQUESTED,
  ]);
  await ask("delete", "4");
  expect(await histories.read(runId, second?.next ?? 0, 3)).toBeUndefined();
  expect(await histories.read(runId, 0, 3)).toBeUndefined();
});
