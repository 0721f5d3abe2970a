import { closest } from "../../../orchestrator/src/compile/closest.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import { evaluateInboundKey, evaluateStart } from "../../../orchestrator/src/engine/key.ts";
import { codeName } from "../../../proto/wire/status.ts";
import { drive } from "../world/drive.ts";
import type { AnswerCall } from "../world/call.ts";
import { openWorld, takeoverMs } from "../world/world.ts";
import type { World } from "../world/world.ts";
import { methodIn } from "./contracts.ts";
import type { LoadedContracts } from "./contracts.ts";
import { toMs, toServices } from "./fakes.ts";
import { toBytes } from "./fit.ts";
import { openRun } from "./openRun.ts";
import type { Given, JsonMessage } from "./plain.ts";
import type { Run } from "./run.ts";
import { SandboxError } from "./sandboxError.ts";
import { toCallView, toEmittedView } from "./show.ts";
import type { Sandbox, SandboxOptions, StartOptions } from "./sandbox.ts";

const defaultStartMs = Date.UTC(2026, 0, 1);

/** Opens one over contracts. Throws SandboxError when a fake is of no known method. */
export function openSandboxOf(
  { workflows, registry }: LoadedContracts,
  { fakes = {}, stubs, startAt }: SandboxOptions = {},
): Sandbox {
  const answer: AnswerCall = toServices(registry, fakes, stubs);
  const world = openWorld({ workflows, answer, startMs: startAt?.getTime() ?? defaultStartMs });
  const ground: Ground = { world, registry, workflows };
  return {
    start: (workflow, request, options) => start(ground, workflow, request ?? {}, options ?? {}),
    call: (method, request) => call(ground, method, request ?? {}),
    find: (workflow, key) => find(ground, workflow, key),
    get runs() {
      return world.runIds.map((id) => openRun(ground, id));
    },
    calls(method) {
      if (method !== undefined && methodIn(registry, method) === undefined)
        throw new SandboxError(`the contracts have no method ${method}`);
      const made = method === undefined ? world.calls : world.calls.filter((one) => one.method === method);
      return made.map((one) => toCallView(registry, one));
    },
    get emitted() {
      return world.emitted.map((one) => toEmittedView(registry, one));
    },
    get now() {
      return new Date(world.clock.now);
    },
    async advance(delay) {
      const untilMs = world.clock.now + toMs(delay);
      await drive(world, untilMs, () => false);
      world.clock.passTo(untilMs);
    },
    async settle() {
      await drive(world, world.clock.now, () => false);
    },
    crashOrchestrator: (away) => world.crashOrchestrator(away === undefined ? takeoverMs : toMs(away)),
  };
}

interface Ground {
  readonly world: World;
  readonly registry: LoadedContracts["registry"];
  readonly workflows: LoadedContracts["workflows"];
}

function start(ground: Ground, workflow: string, request: Given, options: StartOptions): Run {
  const { world, registry, workflows } = ground;
  const plan = workflows.get(workflow);
  const type = plan === undefined ? undefined : registry.getMessage(plan.plan.requestType);
  if (plan === undefined || type === undefined) {
    const near = closest(workflow, workflows.keys());
    const known = near === undefined ? `there are ${[...workflows.keys()].join(", ")}` : `did you mean ${near}?`;
    throw new SandboxError(`there is no workflow ${workflow}: ${known}`);
  }
  const bytes = toBytes(registry, type, request, `the request of ${workflow}`);
  const { idempotencyKey, headers, actor } = options;
  const metadata = new Map(Object.entries(headers ?? {}));
  const started = world.start({ plan, request: bytes, metadata, idempotencyKey, actor });
  if (typeof started === "string") return openRun(ground, started);
  throw new SandboxError(`the start of ${workflow} is refused with ${codeName(started.code)}: ${started.message}`);
}

function find(ground: Ground, workflow: string, key: string): Run {
  const id = ground.world.find(workflow, key);
  if (id === undefined) throw new SandboxError(`no run of ${workflow} has the key '${key}'`);
  return openRun(ground, id);
}

async function call(ground: Ground, method: string, request: Given): Promise<JsonMessage> {
  const { registry, workflows, world } = ground;
  if (workflows.has(method)) return answerOf(await start(ground, method, request, {}).ended());
  const input = methodIn(registry, method)?.input;
  if (input === undefined) throw new SandboxError(`the contracts have no method ${method}`);
  const bytes = toBytes(registry, input, request, `the request of ${method}`);
  for (const [workflow, plan] of workflows) {
    const signal = plan.signals.find((one) => one.method === method);
    if (signal?.key !== undefined) {
      const run = signalled(ground, { workflow, plan, key: keyOf(signal.key, bytes) }, bytes, method);
      run.signal(signal.name, request);
      await drive(world, world.clock.now, () => false);
      return {};
    }
    const query = plan.queries.find((one) => one.method === method);
    if (query !== undefined) return find(ground, workflow, keyOf(query.key, bytes)).query(method, request);
  }
  throw new SandboxError(`${method} is no workflow, signal or query: fakes answer the calls of steps`);
}

function answerOf(run: Run): JsonMessage {
  if (run.response !== undefined) return run.response;
  throw new SandboxError(
    `${run.workflow} failed with ${run.status?.code ?? ""}: ${run.status?.message ?? ""}\n\n${run.text}`,
  );
}

function keyOf(key: Parameters<typeof evaluateInboundKey>[0], request: Uint8Array): string {
  const evaluated = evaluateInboundKey(key, request);
  if (evaluated.kind === "failed") throw new SandboxError(evaluated.message);
  return evaluated.key;
}

/** The run that a signal is for; one that may start it does. */
function signalled(
  ground: Ground,
  { workflow, plan, key }: { readonly workflow: string; readonly plan: LoadedPlan; readonly key: string },
  bytes: Uint8Array,
  method: string,
): Run {
  const begins = plan.signals.find((one) => one.method === method)?.start;
  if (begins === undefined || ground.world.find(workflow, key) !== undefined) return find(ground, workflow, key);
  const request = evaluateStart(begins, bytes);
  if (request.kind === "failed") throw new SandboxError(request.message);
  const started = ground.world.start({ plan, request: request.request, givenKey: key });
  if (typeof started === "string") return openRun(ground, started);
  throw new SandboxError(`the start of ${workflow} is refused with ${codeName(started.code)}: ${started.message}`);
}
