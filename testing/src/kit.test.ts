import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { buildImage } from "../../cli/src/buildImage.ts";
import { delayed, fails, loadContracts, openSandbox, SandboxError, streams } from "./door.ts";
import type { Contracts, Fakes, Run, Sandbox } from "./door.ts";

let contracts: Contracts;
const move = "kit.v1.Depot/Move";
const people = "kit.v1.KitWorkflow/People";
const day = 86_400_000;

beforeAll(async () => {
  contracts = await loadContracts("testing/testdata");
});

function sandbox(more: Fakes = {}): Sandbox {
  return openSandbox(contracts, {
    fakes: {
      [move]: (request: { readonly word: string }) => ({ name: `part ${request.word}` }),
      "kit.v1.Depot/Back": {},
      "kit.v1.Depot/Check": {},
      "kit.v1.Depot/List": streams({ name: "a" }, { name: "b" }),
      ...more,
    },
  });
}

test("a run starts a child, waits for its end, emits, holds a lock and collects a stream", async () => {
  const box = sandbox();
  const run = box.start("kit.v1.KitWorkflow/Family", { id: "f" });
  await box.settle();
  const [child] = run.children;
  expect(child?.workflow).toBe("kit.v1.KitWorkflow/Child");
  child?.signal("go", { word: "well" });
  await run.ended();
  expect(run.response).toEqual({ text: "child well", parts: ["a", "b"] });
  expect(box.emitted).toMatchObject([
    { subject: "orders.f", type: "kit.v1.Order", message: { id: "f" }, step: "told" },
  ]);
  expect(box.runs.map(({ workflow, state }) => [workflow, state])).toEqual([
    ["kit.v1.KitWorkflow/Family", "COMPLETED"],
    ["kit.v1.KitWorkflow/Child", "COMPLETED"],
  ]);
});

test("a lock lets one run after the other in", async () => {
  const box = sandbox({ [move]: delayed("10s", { name: "p" }) });
  const runs = ["a", "b", "c"].map((id) => box.start("kit.v1.KitWorkflow/Family", { id }));
  await box.advance("10s");
  for (const run of runs) run.children[0]?.signal("go", { word: "on" });
  for (const run of runs) await run.ended();
  const guarded = box.calls(move).filter(({ step }) => step === "guarded");
  expect(guarded.map(({ at }) => at.getTime() - (guarded[0]?.at.getTime() ?? 0))).toEqual([0, 10_000, 20_000]);
});

test("a child that fails, here since nobody told it anything, fails its parent", async () => {
  const run = await sandbox().start("kit.v1.KitWorkflow/Family", { id: "f" }).ended();
  expect(run.status).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  expect(run.children[0]?.state).toBe("FAILED");
});

test("people approve with a form, and mend what is stuck", async () => {
  const box = sandbox({
    [move]: (request: { readonly word: string }) =>
      request.word === "y" ? { name: "mended" } : fails("ABORTED", "no such part"),
  });
  const run = await box.start(people, { id: "p" }).reaches("asked");
  expect(() => run.decide({ approved: true, by: "bob" })).toThrow(/NOT_AN_APPROVER/);
  run.decide({ approved: true, by: "ann", form: { word: "x" } });
  await run.until(({ state }) => state === "PAUSED");
  expect(run.text).toContain("moved needs a decision  ABORTED: no such part");
  run.patch({ id: "q", word: "y" });
  await run.ended();
  expect(run.response).toEqual({ text: "mended", parts: [] });
  expect(box.calls(move).map(({ request, headers }) => [request, headers])).toEqual([
    [{ id: "p", word: "x" }, { "x-tenant": "p" }],
    [{ id: "p", word: "x" }, { "x-tenant": "p" }],
    [{ id: "p", word: "x" }, { "x-tenant": "p" }],
    [{ id: "q", word: "y" }, { "x-tenant": "p" }],
  ]);
  expect(box.now.getTime()).toBeGreaterThanOrEqual(Date.UTC(2026, 0, 1) + 3 * day);
});

/** A run that has stopped at an incident. */
async function stuck(box: Sandbox): Promise<Run> {
  const run = await box.start(people, { id: "p" }).reaches("asked");
  run.decide({ approved: true, by: "ann" });
  return run.until((it) => it.state === "PAUSED");
}

test("an incident is left in every way", async () => {
  const ways: readonly (readonly [string, (run: Run) => void])[] = [
    ["COMPLETED", (run) => run.skip({ name: "given" })],
    ["FAILED", (run) => run.fail("moved")],
    ["FAILED", (run) => run.compensate()],
  ];
  for (const [state, leave] of ways) {
    const run = await stuck(sandbox({ [move]: fails("ABORTED") }));
    leave(run);
    expect((await run.ended()).state).toBe(state);
  }
  const box = sandbox({ [move]: fails("ABORTED") });
  const run = await stuck(box);
  run.retry();
  await run.until((it) => it.state === "PAUSED");
  expect(box.calls(move)).toHaveLength(6);
});

test("time passes as far as the test lets it", async () => {
  const box = sandbox();
  const run = await box.start(people, { id: "p" }).reaches("asked");
  run.decide({ approved: true, by: "ann" });
  await run.reaches("rested");
  const at = box.now;
  await box.advance("2d");
  expect(box.now.getTime() - at.getTime()).toBe(2 * day);
  expect(run.step("rested")?.state).toBe("WAITING");
  await box.advance(day);
  expect(run.state).toBe("COMPLETED");
});

test("a run is held, resumed, cancelled and terminated", async () => {
  const box = sandbox();
  const run = await box.start(people, { id: "p" }).reaches("asked");
  run.pause("a break");
  run.decide({ approved: true, by: "ann" });
  await box.settle();
  expect(run.step("moved")).toBeUndefined();
  run.resume();
  await run.reaches("rested");
  run.cancel("enough");
  expect((await run.ended()).state).toBe("CANCELLED");
  expect(run.undone).toEqual(["moved"]);
  expect(() => run.cancel()).toThrow(/cancel changed nothing/);
  const other = await box.start(people, { id: "p" }).reaches("asked");
  other.terminate();
  expect(other.state).toBe("TERMINATED");
});

test("a streaming workflow yields", async () => {
  const run = await sandbox().start("kit.v1.KitWorkflow/Watch", { id: "w" }).ended();
  expect(run.yielded.map(({ text }) => text)).toEqual(["first", "second"]);
});

test("fakes may take their real time while virtual time stands still", async () => {
  const box = sandbox({ [move]: () => Promise.resolve({ name: "late" }) });
  const run = await box.start(people, { id: "p" }).reaches("asked");
  run.decide({ approved: true, by: "ann" });
  await run.reaches("rested");
  expect(run.step("moved")?.result).toEqual({ name: "late", image: "" });
  expect(box.now.getTime()).toBe(Date.UTC(2026, 0, 1));
});

test("an answer that doesn't fit its message, and what a fake throws, fail the test with the reason", async () => {
  const cases: readonly [Fakes, RegExp][] = [
    [
      { [move]: { nam: "p" } },
      /the answer of the fake of kit\.v1\.Depot\/Move is no kit\.v1\.Part: .*"nam"[^]*Its fields are name, image\./,
    ],
    [{ [move]: { name: 7 } }, /kit\.v1\.Part.*name from JSON.*expected string, got 7/],
    [{ [move]: streams({ name: "a" }) }, /is a stream, and kit\.v1\.Depot\/Move returns one message/],
    [{ [move]: () => undefined as never }, /is undefined: give a kit\.v1\.Part/],
    [
      {
        [move]: () => {
          throw new Error("my own");
        },
      },
      /my own/,
    ],
    [{ [move]: () => Promise.reject(new Error("my own later")) }, /my own later/],
  ];
  for (const [fakes, message] of cases) {
    const run = await sandbox(fakes).start(people, { id: "p" }).reaches("asked");
    run.decide({ approved: true, by: "ann" });
    await expect(run.ended()).rejects.toThrow(message);
  }
});

test("what the contracts don't have is told with what was probably meant", async () => {
  expect(() => openSandbox(contracts, { fakes: { "kit.v1.Depot/Moove": {} } })).toThrow(
    /did you mean kit\.v1\.Depot\/Move\?/,
  );
  const box = sandbox();
  expect(() => box.start("kit.v1.KitWorkflow/Poeple", {})).toThrow(/did you mean kit\.v1\.KitWorkflow\/People\?/);
  expect(() => box.start(people, { ident: "p" })).toThrow(
    /the request of kit\.v1\.KitWorkflow\/People is no kit\.v1\.Order.*"ident"[^]*Its fields are id, amount/,
  );
  const child = box.start("kit.v1.KitWorkflow/Child", {});
  expect(() => child.signal("goo")).toThrow(/takes no signal 'goo': did you mean 'go'\?/);
  const empty = openSandbox(contracts).start("kit.v1.KitWorkflow/Child");
  await expect(empty.ended()).rejects.toThrow(/no fake for kit\.v1\.Depot\/Move, which step moved calls/);
});

test("methods without a fake are made up where stubs are wanted, the same for the same seed", async () => {
  const texts = await Promise.all(
    [1, 1, 2].map(async (stubs) => {
      const box = openSandbox(contracts, { stubs });
      const run = await box.start(people, { id: "p" }).reaches("asked");
      run.decide({ approved: true, by: "ann" });
      return (await run.ended()).response?.["text"];
    }),
  );
  expect(texts[0]).toBe(texts[1]);
  expect(texts[0]).not.toBe(texts[2]);
});

test("a run that waits for what no time brings is told with its steps", async () => {
  const box = sandbox({ [move]: fails("ABORTED") });
  const run = await box.start(people, { id: "p" }).reaches("asked");
  run.decide({ approved: true, by: "ann" });
  await expect(run.ended()).rejects.toThrow(/does not come to its end: nothing brings it there[^]*moved {2}PAUSED/);
});

test("contracts come from an image too, and wrong ones are told as the checker tells them", async () => {
  const built = await buildImage("testing/testdata");
  if (built.kind !== "built") throw new Error("it can't be built");
  expect((await loadContracts(built.image)).workflows).toEqual(contracts.workflows);
  const folder = await mkdtemp(path.join(tmpdir(), "sidestep-kit-"));
  try {
    await mkdir(path.join(folder, "bad"));
    const text = `syntax = "proto3"; package bad; import "sidestep/v1/workflow.proto";
service W { rpc Run(M) returns (M) { option (sidestep.v1.workflow) = {
  step { id: "a" call { method: "bad.S/Doo" } } output: 'inputt' }; } }
service S { rpc Do(M) returns (M); }
message M {}
`;
    await writeFile(path.join(folder, "bad", "bad.proto"), text);
    const failure = await loadContracts(folder).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SandboxError);
    expect(String(failure)).toMatch(/bad\.proto:3:\d+: error: .*Doo[^]*\^[^]*hint:/);
    await writeFile(path.join(folder, "bad", "bad.proto"), "syntax = 'proto3'; messag M {}");
    await expect(loadContracts(folder)).rejects.toThrow(/bad\.proto:1:20: error/);
    await expect(loadContracts(path.join(folder, "nowhere"))).rejects.toThrow(/there is no such folder/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
