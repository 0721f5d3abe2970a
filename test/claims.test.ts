import assert from "node:assert/strict";
import { jetstreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/nats-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Call_OnDoubt as OnDoubt } from "../proto/gen/sidestep/internal/v1/plan.ts";
import type { Plan, Step } from "../proto/gen/sidestep/internal/v1/plan.ts";
import { Outcome } from "../proto/gen/sidestep/internal/v1/task.ts";
import { Incident_Reason, Run_State } from "../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../proto/wire/runId.ts";
import type { LoadedPlan } from "../orchestrator/src/engine/plan.ts";
import { makeExpression } from "../orchestrator/src/engine/testing/expression.ts";
import { openPublisher } from "../runtime/src/publisher.ts";
import type { ParsedTask } from "../sidecar/src/core/taskMessage.ts";
import type { CallRequest } from "../sidecar/src/ports.ts";
import { startNats } from "./support/nats.ts";
import type { Nats } from "./support/nats.ts";
import { makeCall, makePlan, names, openOrchestrator, service } from "./support/orchestrators.ts";
import type { Orchestrator } from "./support/orchestrators.ts";
import { openSidecar } from "./support/sidecars.ts";

/** Where somebody dies. */
type Point =
  /** The claim is stored, its grant is not asked for yet. */
  | "claimed"
  /** The call may be made, and is not yet. */
  | "granted"
  /** The service has done it, nobody has been told. */
  | "done";
type Policy = "RETRY" | "VERIFY" | "PAUSE" | "FAIL";

/** A run of one call; its step is named for both. */
interface Scene {
  readonly policy: Policy;
  readonly point: Point;
}

const points: readonly Point[] = ["claimed", "granted", "done"];
const policies: readonly Policy[] = ["RETRY", "VERIFY", "PAUSE", "FAIL"];
// A call that may be repeated is not claimed.
const scenes: readonly Scene[] = policies.flatMap((policy) =>
  points.filter((point) => policy !== "RETRY" || point !== "claimed").map((point) => ({ policy, point })),
);

function stepOf({ policy, point }: Scene): string {
  return `${policy}_${point}`;
}

function pointOf(step: string): string {
  return step.split("_")[1] ?? "";
}

function planOf(scene: Scene): LoadedPlan {
  const name = stepOf(scene);
  const value = {
    onDoubt: OnDoubt[scene.policy],
    idempotent: false,
    // Who is asked, and what is undone, has to wait until the dead one could not call any more: this and five seconds.
    timeoutMs: 1_500,
    retry: { attemptsMax: 3, backoffMs: 10, backoffMaxMs: 10, multiplier: 1, on: [] },
    ...(scene.policy === "VERIFY"
      ? {
          verify: {
            method: `${service}/Find`,
            request: undefined,
            done: makeExpression("bool", "answer=='yes'", name),
            result: makeExpression("kept", "'found'", name),
            responseType: "google.protobuf.Empty",
          },
        }
      : {}),
  };
  const undo = makeCall("undo", { method: `${service}/Undo` });
  assert(undo.kind?.$case === "call");
  const step: Step = {
    ...makeCall(name, value),
    compensate: { when: undefined, call: undo.kind.value, block: undefined },
  };
  const over: Partial<Plan> = { methods: [`${service}/Do`, `${service}/Undo`, `${service}/Find`] };
  return makePlan([step], `test.v1.Flows/${name}`, over);
}

/** The service: it does what it is asked, whoever asks, and says whether it has. */
function openService() {
  const done: { readonly step: string; readonly method: string; readonly key: string }[] = [];
  const of = (step: string, method: string) => done.filter((it) => it.step === step && it.method === method);
  return {
    serve(step: string, { method, headers }: CallRequest): Uint8Array {
      const name = method.split("/")[1] ?? method;
      if (name === "Find") return new TextEncoder().encode(of(step, "Do").length > 0 ? "yes" : "no");
      const key = headers.find((it) => it.key === "idempotency-key")?.value ?? new Uint8Array();
      done.push({ step, method: name, key: new TextDecoder().decode(key) });
      return new Uint8Array();
    },
    /** How often it has done, and undone, what a scene is about; and under how many keys. */
    count: (scene: Scene) => ({
      done: of(stepOf(scene), "Do").length,
      keys: new Set(of(stepOf(scene), "Do").map(({ key }) => key)).size,
      undone: of(stepOf(scene), "Undo").length,
    }),
  };
}

/** Resolves `reached` once every scene has come to its point; who waits at it goes on when `released`. */
function openGate(expected: number) {
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const at = new Set<string>();
  return {
    reached: reached.promise,
    release: () => released.resolve(),
    wait: async (step: string, point: Point): Promise<void> => {
      if (pointOf(step) !== point || at.has(step)) return;
      at.add(step);
      if (at.size === expected) reached.resolve();
      await released.promise;
    },
  };
}

let server: Nats;
const plans = new Map(scenes.map((scene) => [stepOf(scene), planOf(scene)]));

beforeAll(async () => {
  server = await startNats();
});
afterAll(() => server[Symbol.asyncDispose]());

const options = { over: { bounds: { silenceMs: 1200 } } };

async function openOwner(): Promise<Orchestrator> {
  return openOrchestrator(server.url, [...plans.values()], options);
}

/** What nobody extends is delivered again this soon, not only after ten seconds. */
async function deliverAgainSoon({ nats }: Orchestrator): Promise<void> {
  const manager = await jetstreamManager(nats.connection);
  await manager.consumers.update(names.tasksStream, names.taskConsumer(service), { ack_wait: nanos(1_000) });
}

async function beginAll(owner: Orchestrator): Promise<ReadonlyMap<string, RunId>> {
  const begun = await Promise.all([...plans].map(async ([step, plan]) => [step, await owner.begin(plan)] as const));
  return new Map(begun);
}

async function stateOf({ processor }: Orchestrator, runId: RunId | undefined) {
  assert(runId !== undefined);
  const found = await processor.front.get(runId);
  assert(found.kind === "run");
  return found.run;
}

test("after its sidecar's death a call that was not claimed is made again; one that was is in doubt, and its policy decides, whatever is told late or twice", async () => {
  await using owner = await openOwner();
  await deliverAgainSoon(owner);
  const thing = openService();
  const gate = openGate(scenes.length);
  const untold: (readonly [ParsedTask, Outcome])[] = [];
  const first = await openSidecar(server.url, service, {
    serve: async (step, request) => {
      await gate.wait(step, "granted");
      return thing.serve(step, request);
    },
    onClaimed: (step) => gate.wait(step, "claimed"),
    onEnded: async (task, outcome) => {
      untold.push([task, outcome]);
      await gate.wait(task.attempt.step, "done");
    },
  });
  const runs = await beginAll(owner);
  await gate.reached;
  await first.kill();

  const told: (readonly [ParsedTask, Outcome])[] = [];
  const second = await openSidecar(server.url, service, {
    serve: (step, request) => Promise.resolve(thing.serve(step, request)),
    onEnded: async (task, outcome) => void told.push([task, outcome]),
  });
  const runOf = (scene: Scene) => stateOf(owner, runs.get(stepOf(scene)));
  const table = async () =>
    Promise.all(
      scenes.map(async (scene) => {
        const { state } = await runOf(scene);
        const { done, keys, undone } = thing.count(scene);
        return `${stepOf(scene)}: done ${done} under ${keys} keys, undone ${undone}, ${nameOf(state)}`;
      }),
    );
  const decided = [
    // Twice is what RETRY allows; the service would know it by its key.
    "RETRY_granted: done 1 under 1 keys, undone 0, COMPLETED",
    "RETRY_done: done 2 under 1 keys, undone 0, COMPLETED",
    "VERIFY_claimed: done 1 under 1 keys, undone 0, COMPLETED",
    "VERIFY_granted: done 1 under 1 keys, undone 0, COMPLETED",
    "VERIFY_done: done 1 under 1 keys, undone 0, COMPLETED",
    "PAUSE_claimed: done 0 under 0 keys, undone 0, PAUSED",
    "PAUSE_granted: done 0 under 0 keys, undone 0, PAUSED",
    "PAUSE_done: done 1 under 1 keys, undone 0, PAUSED",
    "FAIL_claimed: done 0 under 0 keys, undone 1, COMPENSATED",
    "FAIL_granted: done 0 under 0 keys, undone 1, COMPENSATED",
    "FAIL_done: done 1 under 1 keys, undone 1, COMPENSATED",
  ];
  await expect.poll(table, { timeout: 20_000, interval: 100 }).toEqual(decided);

  // What was told is told twice, and that the first delivery failed is told late.
  using publisher = openPublisher(owner.nats.connection);
  const tell = async ([task, outcome]: readonly [ParsedTask, Outcome]) => {
    const subject = names.outSubject(service, task.message.partition, task.runId);
    expect(await publisher.publish(subject, Outcome.encode(outcome).finish())).toMatchObject({ kind: "stored" });
  };
  const failed: Outcome["kind"] = {
    $case: "failed",
    value: { code: 14, message: "late", details: new Uint8Array(), origin: 1 },
  };
  for (const [task, outcome] of told) await tell([task, outcome]);
  for (const [task, outcome] of told)
    if (outcome.kind?.$case === "inDoubt") await tell([task, { ...outcome, kind: failed }]);
  const late = told.filter(([, { kind }]) => kind?.$case === "inDoubt").map(([task]) => task.attempt.step);
  expect(late.toSorted()).toEqual(
    scenes
      .filter(({ policy }) => policy !== "RETRY")
      .map(stepOf)
      .toSorted(),
  );
  await expect
    .poll(async () => {
      const paused = await Promise.all(
        scenes.map(async (scene) => (await historyOf(owner, runs.get(stepOf(scene)))).at(-1)),
      );
      return paused.every((event) => event?.ignored === true);
    })
    .toBe(true);
  expect(await table()).toEqual(decided);

  // Only a success counts as long as the step is open, and then it is its result; a person's word makes the call again.
  for (const [task, outcome] of untold) await tell([task, outcome]);
  for (const point of ["claimed", "granted"] as const) {
    const [scene, runId] = [{ policy: "PAUSE", point } as const, runs.get(stepOf({ policy: "PAUSE", point }))];
    assert(runId !== undefined);
    const { incidents } = await runOf(scene);
    expect(incidents).toMatchObject([{ reason: Incident_Reason.IN_DOUBT }]);
    const event = {
      step: stepOf(scene),
      compensation: false,
      reason: "looked",
      actor: "ann",
      requestId: point,
      backoff: false,
    };
    await owner.processor.front.request(runId, { kind: "retry", event }, AbortSignal.timeout(5_000));
  }
  const settled = decided.map((row) =>
    row.startsWith("PAUSE")
      ? row.replace(/done . under . keys/, "done 1 under 1 keys").replace("PAUSED", "COMPLETED")
      : row,
  );
  await expect.poll(table, { timeout: 20_000, interval: 100 }).toEqual(settled);
  await second.kill();
});

test("after its owner's death the next one grants the claim, and takes the outcome: every call is made once, whatever its policy", async () => {
  const first = await openOwner();
  const thing = openService();
  const gate = openGate(scenes.length);
  const sidecar = await openSidecar(server.url, service, {
    serve: async (step, request) => {
      await gate.wait(step, "granted");
      return thing.serve(step, request);
    },
    onClaimed: (step) => gate.wait(step, "claimed"),
    onEnded: (task) => gate.wait(task.attempt.step, "done"),
  });
  const runs = await beginAll(first);
  await gate.reached;
  await first.kill();
  await using second = await openOwner();
  gate.release();
  for (const scene of scenes) {
    const runId = runs.get(stepOf(scene));
    assert(runId !== undefined);
    expect(await second.processor.front.wait(runId, AbortSignal.timeout(20_000))).toMatchObject({
      kind: "ended",
      ended: { state: Run_State.COMPLETED },
    });
    expect({ ...scene, ...thing.count(scene) }).toEqual({ ...scene, done: 1, keys: 1, undone: 0 });
  }
  await sidecar.kill();
});

async function historyOf({ processor }: Orchestrator, runId: RunId | undefined) {
  assert(runId !== undefined);
  const found = await processor.front.history(runId, 0, 1_000);
  assert(found.kind === "history");
  return found.events;
}

function nameOf(state: Run_State): string {
  return Object.entries(Run_State).find(([, value]) => value === state)?.[0] ?? "?";
}
