import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fromBinary, fromJson, toBinary, createFileRegistry } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { buildModules } from "../../orchestrator/src/compile/testing.ts";
import { advance } from "../../orchestrator/src/engine/advance.ts";
import type { PublishTask } from "../../orchestrator/src/engine/command.ts";
import { loadPlan } from "../../orchestrator/src/engine/loadPlan.ts";
import type { LogRecord } from "../../orchestrator/src/engine/record.ts";
import { newRun } from "../../orchestrator/src/engine/state.ts";
import {
  eventAt,
  makeFailure,
  makeStarted,
  outcomeAt,
  testRunId,
} from "../../orchestrator/src/engine/testing/records.ts";
import { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { Plan } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import { Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";

// node test/engine/writeGolden.ts <version>: writes the golden logs of a release that is about to come. One that is there stays as it is.
const version = process.argv[2];
if (version === undefined || !/^v\d+$/.test(version)) throw new Error("which version? For instance v1");

const image = buildModules(["examples/order/proto"]);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
const [compiled] = compileImage(image).workflows;
if (compiled === undefined) throw new Error("the example does not compile");
const planBytes = Plan.encode(compiled.plan).finish();
const plan = loadPlan(planBytes);

const answers: Readonly<Record<string, readonly [string, JsonValue]>> = {
  Reserve: ["inventory.v1.ReserveResponse", { reservationId: "r-1" }],
  Release: ["inventory.v1.ReleaseResponse", {}],
  Charge: ["payment.v1.ChargeResponse", { chargeId: "ch-1" }],
  Refund: ["payment.v1.RefundResponse", {}],
  Label: ["shipping.v1.LabelResponse", { labelId: "l-1" }],
  Ship: ["shipping.v1.ShipResponse", { tracking: "t-1", eta: "2026-01-02T00:00:00Z" }],
};

function message(type: string, json: JsonValue): Uint8Array {
  const desc = registry.getMessage(type);
  if (desc === undefined) throw new Error(`no message ${type}`);
  return toBinary(desc, fromJson(desc, json));
}

/** What a service answers, or says instead. */
type Said = NonNullable<Outcome["kind"]>;

function ok(task: PublishTask): Said {
  const [type, json] = answers[task.method.slice(task.method.indexOf("/") + 1)] ?? ["", {}];
  return { $case: "completed", value: message(type, json) };
}

function unavailable(): Said {
  return { $case: "failed", value: makeFailure("UNAVAILABLE", "connection dropped") };
}

function write(
  name: string,
  say: (task: PublishTask) => Said,
  before: (task: PublishTask) => Event["kind"] = () => undefined,
): void {
  const file = fileURLToPath(new URL(`testdata/golden/${version}-${name}.log.json`, import.meta.url));
  if (existsSync(file)) return;
  const state = newRun(testRunId);
  const records: LogRecord[] = [];
  const queue: PublishTask[] = [];
  let timers: number[] = [];
  const take = (make: (sequence: number, atMs: number) => LogRecord): void => {
    const record = make(records.length + 1, records.length * 1_000);
    records.push(record);
    for (const command of advance(plan, state, record).commands) {
      if (command.kind === "publishTask") queue.push(command);
      if (command.kind === "armTimer" && command.dueMs - record.storedMs < 60_000) timers.push(command.number);
    }
  };
  const order = {
    orderId: "o-1",
    customerId: "c-1",
    items: [{ sku: "tea", quantity: 2 }],
    total: { currency: "EUR", units: "250" },
    address: "Main Street 1",
  };
  const value = makeStarted({ request: message("shop.v1.FulfilRequest", order) });
  take((n, at) => eventAt(n, at, { $case: "runStarted", value }));
  for (;;) {
    const task = queue.shift();
    const [timer] = timers.splice(0, 1);
    if (task !== undefined) {
      const event = before(task);
      if (event !== undefined) take((n, at) => eventAt(n, at, event));
      take((n, at) => outcomeAt(n, at, task.attempt, say(task)));
    } else if (timer !== undefined)
      take((n, at) => eventAt(n, at, { $case: "timerFired", value: { number: timer, dueMs: 0 } }));
    else break;
  }
  const { ending } = state;
  if (ending === undefined) throw new Error(`${name} does not end`);
  take((n, at) => eventAt(n, at, { $case: "runEnded", value: ending.ended }));
  const shown = records.map(({ sequence, storedMs, fact }) =>
    fact.kind === "event"
      ? { sequence, storedMs, event: Buffer.from(Event.encode(fact.event).finish()).toString("base64") }
      : { sequence, storedMs, outcome: Buffer.from(Outcome.encode(fact.outcome).finish()).toString("base64") },
  );
  writeFileSync(
    file,
    `${JSON.stringify({ runId: testRunId, plan: Buffer.from(planBytes).toString("base64"), records: shown }, undefined, 1)}\n`,
  );
}

write("completed", ok);
write("compensated", (task) => {
  if (task.method.endsWith("/Ship"))
    return { $case: "failed", value: makeFailure("FAILED_PRECONDITION", "no such address") };
  return task.method.endsWith("/Refund") && task.attempt.attempt === 1 ? unavailable() : ok(task);
});
write(
  "cancelled",
  (task) => (task.method.endsWith("/Charge") ? unavailable() : ok(task)),
  (task) =>
    task.method.endsWith("/Charge")
      ? { $case: "cancelRequested", value: { reason: "changed my mind", actor: "ann", requestId: "c-1" } }
      : undefined,
);
