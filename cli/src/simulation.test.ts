import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runHere } from "./testing.ts";

const fulfil = "shop.v1.OrderWorkflow/Fulfil";
const order = '{"order_id": "o-1", "items": [{"sku": "cup"}]}';
let folder = "";
let fixtures = "";

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "sidestep-sweep-"));
  fixtures = path.join(folder, "fixtures.yaml");
  await writeFile(
    fixtures,
    `inventory.v1.InventoryService/Reserve: {answer: {reservation_id: r-1}}
payment.v1.PaymentService/Charge:
  - {status: {code: UNAVAILABLE, message: away}, times: 1, delay: 2s}
  - {answer: {charge_id: c-1}, delay: 100ms}
shipping.v1.ShippingService/Ship: {answer: {tracking: t-1, eta: "2026-01-05T00:00:00Z"}}
`,
  );
  await writeFile(path.join(folder, "bad.proto"), broken);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Reads the first line of an order that may have none; what was taken is given back by what no answer has. */
const broken = `syntax = "proto3";
package bad.v1;
import "sidestep/v1/workflow.proto";
service BadWorkflow {
  rpc Pack(PackRequest) returns (PackResponse) {
    option (sidestep.v1.workflow) = {
      defaults { on_doubt: RETRY on_exhausted: FAIL }
      step {
        id: "taken"
        call { method: "bad.v1.Store/Take" request: '{name: input.name}' }
        compensate { call { method: "bad.v1.Store/Give" request: '{name: has(steps.taken) ? taken.parts[0].name : ""}' } }
      }
      step {
        id: "sealed"
        when: 'taken.kind == 3 && input.name != "nobody"'
        call { method: "bad.v1.Store/Seal" request: '{name: input.name}' }
      }
      step { when: 'false' id: "never" call { method: "bad.v1.Store/Seal" request: '{name: input.name}' } }
      output: '{text: taken.parts.map(p, p.name)}'
    };
  }
}
service Store {
  rpc Take(PackRequest) returns (Taken);
  rpc Give(PackRequest) returns (PackResponse);
  rpc Seal(PackRequest) returns (PackResponse);
}
message PackRequest { string name = 1; }
message PackResponse { repeated string text = 1; }
message Part { string name = 1; }
message Taken { repeated Part parts = 1; int32 kind = 2; }
`;

test("a workflow runs without services, by fixtures, and its tree has virtual times", async () => {
  const args = ["simulate", fulfil, "examples/order/proto", "-d", order, "--fixtures", fixtures, "--seed", "3"];
  const { code, stdout } = await runHere(args);
  expect(stdout).toMatch(/^request \{"orderId":"o-1","items":\[\{"sku":"cup"\}\]\}\nCompleted|COMPLETED {2}shop/);
  expect(stdout).toMatch(/\+\d+ ms {2}charge {2}completed {2}\d/);
  expect(stdout).toContain('"tracking": "t-1"');
  expect(code).toBe(0);
  expect((await runHere(args)).stdout).toBe(stdout);
});

test("another seed makes other answers up, and JSON has run, history and calls", async () => {
  const simulated = async (seed: string) => {
    const { stdout } = await runHere([
      "simulate",
      fulfil,
      "examples/order/proto",
      "-d",
      order,
      "--seed",
      seed,
      "-o",
      "json",
    ]);
    return JSON.parse(stdout) as {
      run: { state: string };
      events: unknown[];
      calls: { method: string; responses: unknown[] }[];
    };
  };
  const [one, two] = [await simulated("1"), await simulated("2")];
  expect(one.run.state).toMatch(/COMPLETED|COMPENSATED/);
  expect(one.events.length).toBeGreaterThan(3);
  expect(one.calls[0]?.method).toBe("inventory.v1.InventoryService/Reserve");
  expect(one.calls[0]?.responses).not.toEqual(two.calls[0]?.responses);
});

test("people's parts are played by flags; without them it is told what the run waits for", async () => {
  const claim = [
    "simulate",
    "expense.v1.ExpenseWorkflow/Claim",
    "examples/approval/proto",
    "-d",
    '{"claim_id": "1", "cents": 6000}',
  ];
  expect(await runHere([...claim, "--approve"])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("grantedCents"),
  });
  const refused = await runHere([...claim, "--reject"]);
  expect(refused).toMatchObject({ code: 3, stdout: expect.stringContaining("PERMISSION_DENIED: refused by") });
  const waits = await runHere(["simulate", "kit.v1.KitWorkflow/People", "testing/testdata", "-d", "{}"]);
  expect(waits).toMatchObject({ code: 3, stdout: expect.stringMatching(/asked {2}failed {2}2 d 0 h/) });
  const told = await runHere(["simulate", fulfil, "examples/order/proto", "--signal", "reviewd={}"]);
  expect(told).toMatchObject({ code: 2, stderr: expect.stringContaining("it takes reviewed") });
});

test("fixtures that don't fit, and contracts that are wrong, are told before anything runs", async () => {
  const file = path.join(folder, "wrong.yaml");
  await writeFile(file, "payment.v1.PaymentService/Charge:\n  answer: {risk_score: high}\n");
  const told = await runHere(["simulate", fulfil, "examples/order/proto", "--fixtures", file]);
  expect(told.code).toBe(10);
  expect(told.stdout).toBe("");
  expect(told.stderr).toMatch(/wrong\.yaml:2:24: error: payment\.v1\.ChargeResponse\.risk_score: .*\n\s+2 \|.*\n.*\^/);
  const unknown = await runHere(["simulate", "shop.v1.OrderWorkflow/Fulfill", "examples/order/proto"]);
  expect(unknown).toMatchObject({
    code: 5,
    stderr: expect.stringContaining("did you mean 'shop.v1.OrderWorkflow/Fulfil'?"),
  });
});

test("a sweep of the order saga fails each call in each way, takes every arm, and finds nothing wrong", async () => {
  const { code, stdout } = await runHere(["sweep", fulfil, "examples/order/proto", "-o", "json"]);
  const swept = JSON.parse(stdout) as {
    readonly isCut: boolean;
    readonly problems: unknown[];
    readonly arms: { readonly arm: string; readonly case?: string }[];
    readonly faults: {
      readonly call: string;
      readonly fault: string;
      readonly state: string;
      readonly undone: string;
    }[];
  };
  expect(swept.problems).toEqual([]);
  expect(swept.arms.filter((arm) => arm.case === undefined)).toEqual([]);
  expect(swept.isCut).toBe(false);
  const found = new Map(
    swept.faults.map(({ call, fault, state, undone }) => [`${call} ${fault}`, `${state}: ${undone}`]),
  );
  for (const call of [
    "reserve",
    "charge",
    "verify charge",
    "labels[0]/label",
    "ship",
    "undo reserve",
    "undo charge",
    "undo ship",
  ])
    for (const fault of ["refused", "doubt", "final"]) expect([...found.keys()]).toContain(`${call} ${fault}`);
  expect(found.get("ship doubt")?.toLowerCase()).toBe("compensated: ship, charge, reserve");
  expect(found.get("charge doubt")?.toLowerCase()).toBe("completed: ");
  expect(code).toBe(0);
});

test("a sweep finds what fails by itself and an arm that nothing reaches, and names the smallest case", async () => {
  const args = ["sweep", "bad.v1.BadWorkflow/Pack", folder, "--seed", "2"];
  const { code, stdout } = await runHere(args);
  expect(code).toBe(10);
  expect(stdout).toMatch(/never when true +not reached/);
  expect(stdout).toMatch(/sealed when true +\{"set":\{.*"taken\.kind":3/);
  expect(stdout).toMatch(/wrong: .*(taken|compensation).*\n/);
  const again = /^Again: sidestep (.*) --case '(.*)'$/m.exec(stdout);
  const replayed = await runHere([...(again?.[1] ?? "").split(" "), "--case", again?.[2] ?? ""]);
  expect(replayed.code).toBe(10);
  expect(replayed.stdout).toContain("wrong: ");
  expect(await runHere([...args, "--case", "{]"])).toMatchObject({ code: 2 });
});

test("people answer the runs that a run starts, too, and their calls are left alone", async () => {
  const { code, stdout } = await runHere(["sweep", "kit.v1.KitWorkflow/Family", "testing/testdata", "-o", "json"]);
  const { faults } = JSON.parse(stdout) as { readonly faults: { readonly call: string; readonly state: string }[] };
  expect(new Set(faults.map(({ call }) => call))).toEqual(new Set(["guarded", "parts"]));
  expect(code).toBe(0);
});
