import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { DeployedWorkflow_Change } from "../../proto/gen/sidestep/v1/definitions.ts";
import { Diagnostic_Severity } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import {
  HistoryEvent,
  HistoryEvent_Kind,
  Incident,
  Incident_Reason,
  Run_State,
  StepStatus,
  StepStatus_State,
} from "../../proto/gen/sidestep/v1/run.ts";
import type { Run } from "../../proto/gen/sidestep/v1/run.ts";
import { Status_Code } from "../../proto/gen/sidestep/v1/workflow.ts";
import type { FrontServerOptions } from "../../orchestrator/src/frontDoor.ts";
import { fakeDefinitions, fakeFront, makeEntry, openTestServer, someRun } from "../../orchestrator/src/grpc/testing.ts";
import type { FakeDefinitions, FakeFront } from "../../orchestrator/src/grpc/testing.ts";
import { contractOf, parseImage } from "../../orchestrator/src/processor/contract.ts";
import { freePort } from "../../test/support/freePort.ts";
import { buildImage } from "../../test/support/image.ts";
import { runHere } from "./testing.ts";
import { repositoryRoot, startProgram } from "../../test/support/program.ts";

const workflow = "shop.v1.OrderWorkflow/Fulfil";
const launcher = path.join(repositoryRoot, "bin/sidestep.js");
let contract: Uint8Array = new Uint8Array();
let folder = "";

beforeAll(async () => {
  const image = parseImage(await buildImage("examples/order/proto"));
  if (image !== undefined) contract = contractOf(image, "shop.v1.OrderWorkflow");
  folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-cli-"));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

interface Ended {
  readonly code: number | undefined;
  readonly out: string;
  readonly err: string;
}

/** Runs the command in this process. */
async function sidestep(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const { code, stdout, stderr } = await runHere(args);
  return { code, out: stdout.trim(), err: stderr.trim() };
}

/** Runs the command as a shell would; stdout and stderr apart. */
async function inShell(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  await using program = await startProgram({
    name: "sidestep",
    command: process.execPath,
    args: [launcher, ...args],
    env: { NO_COLOR: "1", ...env },
  });
  const { code } = await program.ended;
  const out = program.stdout();
  const written = out.split("\n");
  const err = program.lines.filter((line) => !written.includes(line)).join("\n");
  return { code, out, err };
}

interface Stage extends AsyncDisposable {
  readonly front: FakeFront;
  readonly definitions: FakeDefinitions;
  readonly address: string;
  readonly sidestep: typeof sidestep;
}

/** A front door whose runs a test makes up. */
async function openStage(options: Partial<FrontServerOptions> = {}): Promise<Stage> {
  const front = fakeFront();
  const definitions = fakeDefinitions(contract);
  definitions.set([makeEntry(workflow)]);
  const server = await openTestServer(front, definitions, options);
  const SIDESTEP_ADDRESS = `127.0.0.1:${server.port}`;
  return {
    front,
    definitions,
    address: SIDESTEP_ADDRESS,
    sidestep: (args, env) => sidestep(args, { SIDESTEP_ADDRESS, ...env }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const time = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });

function makeRun(given: Partial<Run>): Partial<Run> {
  return {
    workflow,
    version: 1,
    requestType: "shop.v1.FulfilRequest",
    responseType: "shop.v1.FulfilResponse",
    traceId: someRun,
    startedAt: time(1),
    ...given,
  };
}

const completed = makeRun({
  state: Run_State.COMPLETED,
  endedAt: time(2),
  response: Buffer.from("0a03742d31", "hex"),
  steps: [
    StepStatus.fromPartial({
      path: "reserve",
      kind: "call",
      state: StepStatus_State.COMPLETED,
      attempt: 1,
      startedAt: time(1),
      endedAt: time(2),
      method: "inventory.v1.InventoryService/Reserve",
    }),
  ],
});

test("exec writes the answer as JSON on stdout and progress on stderr", async () => {
  await using stage = await openStage();
  stage.front.run = completed;
  stage.front.end({});
  const file = path.join(folder, "request.json");
  await writeFile(file, '{"order_id": "o-1", "items": [{"sku": "mug", "quantity": 2}]}');
  const { code, out, err } = await inShell(["run", "exec", workflow, "-d", `@${file}`], {
    SIDESTEP_ADDRESS: stage.address,
  });
  expect([code, JSON.parse(out)]).toEqual([0, { tracking: "t-1" }]);
  expect(err).toContain(`run ${someRun} of ${workflow}`);
  expect(err).toContain("reserve  completed  1.0 s");
  expect(Buffer.from(stage.front.starts[0]?.request ?? []).toString("hex")).toBe("0a036f2d311a070a036d75671002");
});

test.each([
  [Run_State.FAILED, 3],
  [Run_State.COMPENSATED, 3],
  [Run_State.COMPENSATION_FAILED, 3],
  [Run_State.CANCELLED, 4],
  [Run_State.TERMINATED, 4],
] as const)(
  "exec of a run that ends in state %i exits with %i, says why in three lines, and prints no answer",
  async (state, exitCode) => {
    await using stage = await openStage();
    stage.front.run = makeRun({
      state,
      endedAt: time(2),
      status: { code: Status_Code.NOT_FOUND, message: "no mug", details: [] },
    });
    stage.front.end({ state });
    const { code, out, err } = await stage.sidestep(["run", "exec", workflow]);
    expect([code, out]).toEqual([exitCode, ""]);
    const lines = err.split("\n").slice(-3);
    expect(lines[0]).toMatch(/^Error: the run .*: no mug \(NOT_FOUND\)$/);
    expect(lines[1]).toMatch(/^Where: run [0-9a-f]{32} of shop/);
    expect(lines[2]).toMatch(/^What next: .*sidestep run describe/);
  },
);

test("exec says when a step waits for a sidecar that isn't there, and gives up with 6 when its time is over", async () => {
  await using stage = await openStage({
    catalog: {
      sidecars: () => [],
      isServed: () => false,
      isBroken: () => false,
      driftOf: () => undefined,
      offersOf: () => undefined,
    },
  });
  const method = "inventory.v1.InventoryService/Reserve";
  stage.front.run = makeRun({
    state: Run_State.RUNNING,
    steps: [
      StepStatus.fromPartial({ path: "reserve", kind: "call", state: StepStatus_State.RUNNING, attempt: 1, method }),
    ],
  });
  const { code, err } = await stage.sidestep(["run", "exec", workflow, "--timeout", "2s"]);
  expect(code).toBe(6);
  expect(err).toContain(
    "waits: no sidecar offers inventory.v1.InventoryService; start one: sidestep sidecar --service <host:port>; or its service is not up",
  );
});

test("exec names the step of each incident in the command that leaves it", async () => {
  await using stage = await openStage();
  stage.front.run = makeRun({
    state: Run_State.PAUSED,
    incidents: ["mail_guest", "mail_hotel"].map((step) => Incident.fromPartial({ step })),
  });
  const { err, out } = await stage.sidestep(["run", "exec", workflow, "--timeout", "2s"]);
  expect(out).toBe("");
  for (const step of ["mail_guest", "mail_hotel"]) {
    expect(err).toMatch(
      new RegExp(`${step} needs a decision: sidestep run retry [0-9a-f]{32} --step ${step}, or run fail`),
    );
  }
});

test("Ctrl-C ends exec, not the run", async () => {
  await using stage = await openStage();
  stage.front.run = makeRun({ state: Run_State.RUNNING });
  await using program = await startProgram({
    name: "sidestep",
    command: process.execPath,
    args: [launcher, "run", "exec", workflow],
    env: { SIDESTEP_ADDRESS: stage.address },
  });
  await stage.front.waited;
  program.signal("SIGINT");
  expect((await program.ended).code).toBe(130);
  expect(program.lines.at(-1)).toBe(`The run goes on without this command: sidestep run describe ${someRun}`);
  expect(stage.front.requests).toEqual([]);
});

test("a request that is no such message exits with 2 before anything is started", async () => {
  await using stage = await openStage();
  const { code, err } = await stage.sidestep(["run", "exec", workflow, "-d", '{"order": 1}']);
  expect(code).toBe(2);
  expect(err).toContain("the request is no shop.v1.FulfilRequest");
  expect(stage.front.starts).toHaveLength(0);
});

test("a workflow that is not deployed, and a run that does not exist, exit with 5", async () => {
  await using stage = await openStage();
  expect((await stage.sidestep(["run", "start", "no.such.Service/Method"])).code).toBe(5);
  const missing = await stage.sidestep(["run", "describe", someRun]);
  expect(missing.code).toBe(5);
  expect(missing.err).toContain("RUN_NOT_FOUND");
});

test("an orchestrator that isn't there exits with 7 and says where it was looked for", async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const { code, err } = await sidestep(["workflow", "list", "--address", address]);
  expect(code).toBe(7);
  expect(err.split("\n")).toHaveLength(3);
  expect(err).toContain(address);
});

test.each([
  [["rum"], "Did you mean run?"],
  [["run", "exce", workflow], "Did you mean exec?"],
  [["run", "exec"], "missing required argument"],
  [["run", "exec", "Fulfil"], "package.Service/Method"],
  [["run", "exec", workflow, "--timeout", "soon"], "500ms"],
  [["workflow", "list", "-o", "xml"], "Allowed choices are table, wide, json, jsonl, yaml, name"],
] as const)("wrong usage %j exits with 2 and says what was expected", async (args, expected) => {
  const { code, out, err } = await sidestep(args);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain(expected);
});

test("start prints the run's id alone, and JSON for programs", async () => {
  await using stage = await openStage();
  expect((await stage.sidestep(["run", "start", workflow])).out).toBe(someRun);
  stage.front.startResult = () => ({ kind: "joined", runId: someRun });
  const { out } = await stage.sidestep(["run", "start", workflow, "-o", "json"]);
  expect(JSON.parse(out)).toEqual({ runId: someRun, joined: true });
});

test("describe shows steps, incident, failure and the link into Jaeger; -o json is protobuf JSON, foreign details included", async () => {
  await using stage = await openStage();
  const detail = { typeUrl: "type.googleapis.com/payment.v1.Unheard", value: Uint8Array.of(8, 1) };
  const error = { code: Status_Code.UNAVAILABLE, message: "no bank", details: [detail] } as const;
  stage.front.run = makeRun({
    state: Run_State.PAUSED,
    status: error,
    steps: [
      {
        ...StepStatus.fromPartial({ path: "charge", kind: "call", state: StepStatus_State.PAUSED, attempt: 8 }),
        method: "payment.v1.PaymentService/Charge",
        lastError: error,
      },
    ],
    incidents: [
      { step: "charge", compensation: false, reason: Incident_Reason.EXHAUSTED, error, since: time(3), attempts: 8 },
    ],
  });
  stage.front.explained = "charge: a person decides.";
  expect((await stage.sidestep(["run", "explain", someRun])).out).toBe("charge: a person decides.");
  const { code, out } = await stage.sidestep(["run", "describe", someRun, "--jaeger-url", "http://jaeger:16686/"]);
  expect(code).toBe(0);
  expect(out).toMatch(/waits +charge: a person decides\./);
  expect(out).toContain(`http://jaeger:16686/trace/${someRun}`);
  expect(out).toMatch(/charge +call +paused +8 .*UNAVAILABLE: no bank/);
  expect(out).toContain(`sidestep run retry ${someRun} --step charge`);
  const json: unknown = JSON.parse((await stage.sidestep(["run", "describe", someRun, "-o", "json"])).out);
  expect(json).toMatchObject({
    run: { state: "PAUSED", status: { code: "UNAVAILABLE", details: [{ "@type": detail.typeUrl }] } },
  });
});

test.each(["cancel", "terminate"] as const)("%s reaches the run with its reason", async (kind) => {
  await using stage = await openStage();
  expect((await stage.sidestep(["run", kind, someRun, "--reason", "asked"])).code).toBe(0);
  expect(stage.front.requests).toMatchObject([{ kind, event: { reason: "asked" } }]);
});

test("the history tells who asked for what", async () => {
  await using stage = await openStage();
  const events = [
    { kind: HistoryEvent_Kind.CANCEL_REQUESTED, actor: "ann", text: "the customer left" },
    { kind: HistoryEvent_Kind.DECISION_MADE, step: "ask", actor: "root", text: "approved in the name of ann" },
  ].map((event) => HistoryEvent.fromPartial(event));
  stage.front.history = () => Promise.resolve({ kind: "history", events, next: undefined });
  const { out } = await stage.sidestep(["run", "history", someRun]);
  expect(out).toMatch(/cancel requested +the customer left; by ann$/m);
  expect(out).toMatch(/decision made +ask +approved in the name of ann; by root$/m);
});

test("retry and fail name the step, and say when there is no incident", async () => {
  await using stage = await openStage();
  stage.front.run = makeRun({ state: Run_State.RUNNING });
  const none = await stage.sidestep(["run", "retry", someRun]);
  expect([none.code, none.err]).toEqual([1, expect.stringContaining("NO_INCIDENT")]);
  const incident = {
    step: "charge",
    compensation: false,
    reason: Incident_Reason.EXHAUSTED,
    error: undefined,
    since: undefined,
    attempts: 1,
  } as const;
  stage.front.run = makeRun({ state: Run_State.PAUSED, incidents: [incident] });
  expect((await stage.sidestep(["run", "fail", someRun, "--step", "charge"])).code).toBe(0);
  expect(stage.front.requests).toMatchObject([{ kind: "fail", event: { step: "charge" } }]);
});

test("deploy tells what changed, and shows what is wrong as check does, with exit code 10", async () => {
  await using stage = await openStage();
  stage.definitions.deploy = () =>
    Promise.resolve({
      kind: "deployed",
      workflows: [{ workflow, version: 2, change: DeployedWorkflow_Change.UPDATED }],
      diagnostics: [],
    });
  const good = await stage.sidestep(["deploy", "examples/order/proto"]);
  expect([good.code, good.out.split("\n")[1]]).toEqual([0, `${workflow}  2        updated`]);
  stage.definitions.deploy = () =>
    Promise.resolve({
      kind: "wrong",
      diagnostics: [
        {
          severity: Diagnostic_Severity.ERROR,
          code: "SIDESTEP1101",
          message: "no such service",
          hint: "add it",
          file: "shop/v1/order.proto",
          line: 0,
          column: 0,
          path: "step[0].call",
        },
      ],
    });
  const refused = await stage.sidestep(["deploy", "examples/order/proto"]);
  expect([refused.code, refused.out]).toEqual([10, ""]);
  expect(refused.err).toContain("no such service");
  const wrong = path.join(folder, "wrong");
  expect((await sidestep(["init", wrong])).code).toBe(0);
  const proto = path.join(wrong, "proto/hello/v1/hello.proto");
  await breakProto(proto);
  const here = await stage.sidestep(["deploy", wrong]);
  expect([here.code, here.out]).toEqual([10, ""]);
  expect(here.err).toMatch(/hello\.proto:\d+:\d+/);
  const found = {
    diagnostics: [{ severity: "ERROR", code: expect.stringMatching(/^SIDESTEP/), line: expect.any(Number) }],
  };
  for (const command of ["check", "deploy"]) {
    const json = await stage.sidestep([command, wrong, "-o", "json"]);
    expect([json.code, JSON.parse(json.out)]).toEqual([
      10,
      expect.objectContaining({ diagnostics: [expect.objectContaining(found.diagnostics[0])] }),
    ]);
  }
});

/** Misspells the first field that an expression reads. */
async function breakProto(file: string): Promise<void> {
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace(/input\.\w+/, "input.no_such_field"));
}

test("version and help go to stdout and exit with 0, wrong usage to stderr with 2; each command's help has an example", async () => {
  expect(await inShell(["rum"])).toMatchObject({ code: 2, out: "" });
  expect(await inShell(["version"])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^sidestep \d+\.\d+\.\d+$/),
  });
  for (const command of [["run", "exec"], ["run", "trace"], ["deploy"], ["workflow", "list"]]) {
    const { code, out } = await sidestep([...command, "--help"]);
    expect([code, out.includes(`$ sidestep ${command.join(" ")}`)]).toEqual([0, true]);
  }
});
