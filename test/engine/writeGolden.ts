import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createFileRegistry, fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { buildModules } from "../../orchestrator/src/compile/testing.ts";
import type { Command, PublishTask } from "../../orchestrator/src/engine/command.ts";
import { loadPlan } from "../../orchestrator/src/engine/loadPlan.ts";
import type { LogRecord } from "../../orchestrator/src/engine/record.ts";
import { rerunStart } from "../../orchestrator/src/engine/rerun.ts";
import { resume } from "../../orchestrator/src/engine/snapshot/resume.ts";
import { encodeRun } from "../../orchestrator/src/engine/snapshot/encode.ts";
import { advance } from "../../orchestrator/src/engine/advance.ts";
import { eventAt, makeFailure, testRunId } from "../../orchestrator/src/engine/testing/records.ts";
import { AttemptId_Phase as Phase, Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { Plan } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import { Failure_Origin as Origin, Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { code } from "../../proto/wire/status.ts";
import { driveRun } from "./driveRun.ts";
import type { Said, World } from "./driveRun.ts";

// node test/engine/writeGolden.ts <version>, with npm's node: writes the golden logs of a release that is about to come. One that is there stays as it is.
const version = process.argv[2];
if (version === undefined || !/^v\d+$/.test(version)) throw new Error("which version? For instance v1");

const image = buildModules(["examples/order/proto", "test/engine/testdata/contract"]);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
const { workflows } = compileImage(image);

function message(type: string, json: JsonValue): Uint8Array {
  const desc = registry.getMessage(type);
  if (desc === undefined) throw new Error(`no message ${type}`);
  return toBinary(desc, fromJson(desc, json));
}

function planOf(workflow: string): Uint8Array {
  const compiled = workflows.find((it) => it.workflow === workflow);
  if (compiled === undefined) throw new Error(`${workflow} does not compile`);
  return Plan.encode(compiled.plan).finish();
}

/** Drives a run, and writes down what its log has; `summedUpAt`: from a Snapshot of its first so many records on. */
function write(name: string, workflow: string, request: Uint8Array, world: World, summedUpAt = 0): void {
  const file = fileURLToPath(new URL(`testdata/golden/${version}-${name}.log.json`, import.meta.url));
  if (existsSync(file)) return;
  const planBytes = planOf(workflow);
  const { records } = driveRun(loadPlan(planBytes), request, world);
  const kept = summedUpAt === 0 ? records : sumUp(planBytes, records, summedUpAt);
  const shown = kept.map(({ sequence, storedMs, fact }) =>
    fact.kind === "event"
      ? { sequence, storedMs, event: Buffer.from(Event.encode(fact.event).finish()).toString("base64") }
      : { sequence, storedMs, outcome: Buffer.from(Outcome.encode(fact.outcome).finish()).toString("base64") },
  );
  writeFileSync(
    file,
    `${JSON.stringify({ runId: testRunId, plan: Buffer.from(planBytes).toString("base64"), records: shown }, undefined, 1)}\n`,
  );
}

function sumUp(planBytes: Uint8Array, records: readonly LogRecord[], count: number): readonly LogRecord[] {
  const plan = loadPlan(planBytes);
  const { state } = resume(plan, testRunId, []);
  for (const record of records.slice(0, count)) advance(plan, state, record);
  const last = records[count - 1];
  if (last === undefined || state.started === undefined) throw new Error("no such record");
  const value = { sequence: last.sequence, started: state.started, state: encodeRun(state) };
  return [
    { ...eventAt(last.sequence + 5, 0, { $case: "snapshot", value }), storedMs: last.storedMs },
    ...records.slice(count),
  ];
}

const order = message("shop.v1.FulfilRequest", {
  orderId: "o-1",
  customerId: "c-1",
  items: [{ sku: "tea", quantity: 2 }],
  total: { currency: "EUR", units: "250" },
  address: "Main Street 1",
});
const answers: Readonly<Record<string, Uint8Array>> = {
  Reserve: message("inventory.v1.ReserveResponse", { reservationId: "r-1" }),
  Charge: message("payment.v1.ChargeResponse", { chargeId: "ch-1" }),
  Label: message("shipping.v1.LabelResponse", { labelId: "l-1" }),
  Ship: message("shipping.v1.ShipResponse", { tracking: "t-1", eta: "2026-01-02T00:00:00Z" }),
};
const ok = ({ method }: PublishTask): Said => ({
  $case: "completed",
  value: answers[method.slice(method.indexOf("/") + 1)] ?? new Uint8Array(),
});
const failed = (...args: Parameters<typeof makeFailure>): Said => ({ $case: "failed", value: makeFailure(...args) });
const unavailable = failed("UNAVAILABLE", "connection dropped");
const lost = failed("UNAVAILABLE", "connection dropped", { origin: Origin.TRANSPORT });
const by = { reason: "as told", actor: "ann", requestId: "" };

/** A world that has something to say about calls. */
function calls(say: (task: PublishTask) => readonly Said[] | undefined): World {
  return { tell: (command: Command) => (command.kind === "publishTask" ? say(command) : undefined) };
}

const fulfil = "shop.v1.OrderWorkflow/Fulfil";
write(
  "completed",
  fulfil,
  order,
  calls((task) => [ok(task)]),
);
write(
  "compensated",
  fulfil,
  order,
  calls((task) => {
    if (task.method.endsWith("/Ship")) return [failed("FAILED_PRECONDITION", "no such address")];
    return [task.method.endsWith("/Refund") && task.attempt.attempt === 1 ? unavailable : ok(task)];
  }),
);
write(
  "cancelled",
  fulfil,
  order,
  calls((task) =>
    task.method.endsWith("/Charge")
      ? [{ $case: "cancelRequested", value: { ...by, requestId: "c-1" } }, unavailable]
      : [ok(task)],
  ),
);

const every = "golden.v1.Golden/Every";
const words = message("golden.v1.EveryRequest", { text: "hello", words: ["a", "b", "c"] });
const word = message("golden.v1.Word", { text: "word" });
const early: Said = { $case: "signalReceived", value: { name: "go", payload: word, id: "early", actor: "" } };
const good: World = { message: word };
write("every-kind", every, words, good);
write("every-kind-summed-up", every, words, good, 12);

// What can go wrong does, once: claimed and in doubt, expired, rejected, deferred, refused.
const struck = new Set<string>();
const strikes = ({ kind }: Command): boolean => !struck.has(kind) && struck.add(kind).has(kind);
write("every-kind-troubled", every, words, {
  message: word,
  people: [
    { $case: "retryRequested", value: { ...by, step: "step[5].finally.step[0]", compensation: false, backoff: false } },
  ],
  tell: (command) => {
    if (command.kind === "publishTask") return trouble(command);
    if (command.kind === "startChild" && !command.detach) return undefined;
    return strikes(command) ? against(command) : undefined;
  },
});

function trouble({ attempt }: PublishTask): readonly Said[] | undefined {
  if (attempt.attempt > 1) return undefined;
  if (attempt.step === "words[1]/said") return [{ $case: "attemptExpired", value: { attempt } }];
  if (attempt.step !== "alone" || attempt.phase !== Phase.FORWARD) return undefined;
  return [early, early, { $case: "started", value: {} }, { $case: "inDoubt", value: {} }];
}

function against(command: Command): readonly Said[] | undefined {
  switch (command.kind) {
    case "armTimer":
      return [
        {
          $case: "commandDeferred",
          value: { command: { $case: "timer", value: command.number }, reason: "slow", held: false, drift: false },
        },
      ];
    case "emitMessage":
      return [
        { $case: "commandRejected", value: { command: { $case: "emit", value: command.at }, reason: "no stream" } },
      ];
    case "startChild":
      return [
        {
          $case: "childRefused",
          value: { step: command.at, status: { code: code.ALREADY_EXISTS, message: "key taken", details: [] } },
        },
      ];
    default:
      return undefined;
  }
}

const incident = { step: "two", compensation: false, ...by };
const people: World["people"] = [
  { $case: "pauseRequested", value: by },
  { $case: "patchRequested", value: { ...by, step: "one", compensation: false, request: word } },
  { $case: "resumeRequested", value: by },
  { $case: "skipRequested", value: { ...incident, result: word } },
  { $case: "retryRequested", value: { ...incident, step: "three", backoff: false } },
];
const operated = calls(({ attempt: { step, attempt, phase } }) => {
  if (phase !== Phase.FORWARD) return undefined;
  return step === "one" ? (attempt === 1 ? [lost] : undefined) : [unavailable];
});
const operatedWorkflow = "golden.v1.Golden/Operated";
write("operated-compensated", operatedWorkflow, words, {
  ...operated,
  people: [...people, { $case: "compensateRequested", value: { ...by, step: "three" } }],
});
write("operated-not-undone", operatedWorkflow, words, {
  ...calls((task) => (task.method.endsWith("/Unsay") ? [failed("NOT_FOUND", "never said")] : operated.tell?.(task))),
  people: [
    ...people,
    { $case: "failRequested", value: { ...incident, step: "three" } },
    { $case: "failRequested", value: { ...incident, step: "one", compensation: true } },
  ],
});
write("operated-terminated", operatedWorkflow, words, {
  ...operated,
  people: [{ $case: "terminateRequested", value: by }],
});
write(
  "failed",
  "golden.v1.Golden/Small",
  word,
  calls(() => [failed("NOT_FOUND", "no such word")]),
);

// Terminated while it ships; another goes on in its place, and it is deleted.
const rerunAs = { ...by, step: "ship", runId: new Uint8Array(16).fill(7) };
const stopped: World = {
  ...calls((task) => (task.method.endsWith("/Ship") ? [{ $case: "terminateRequested", value: by }] : [ok(task)])),
  afterEnd: [{ $case: "rerunRequested", value: rerunAs }],
};
write("rerun-and-deleted", fulfil, order, {
  ...stopped,
  afterEnd: [
    { $case: "rerunRequested", value: rerunAs },
    { $case: "deleteRequested", value: by },
  ],
});
const fulfilPlan = loadPlan(planOf(fulfil));
const { state } = driveRun(fulfilPlan, order, stopped);
if (state.rerun === undefined) throw new Error("the run can't be rerun");
write("rerun", fulfil, order, {
  ...calls((task) => [task.method.endsWith("/Ship") ? failed("FAILED_PRECONDITION", "no such address") : ok(task)]),
  started: rerunStart(fulfilPlan, state, state.rerun, state.nowMs),
});
