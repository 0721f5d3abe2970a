import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { describe, expect, it } from "vitest";
import { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Overlap_Policy } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { loadPlan } from "../engine/loadPlan.ts";
import { evaluateTrigger } from "../engine/trigger.ts";
import type { Occasion } from "../engine/trigger.ts";
import { compileImage } from "./compileImage.ts";
import { allFeatures } from "./feature.ts";
import { buildContract, buildModules, errorsOf, makeSet } from "./testing.ts";

const image = buildModules(["orchestrator/src/compile/testdata/contract", "orchestrator/src/compile/testdata/kinds"]);
const compiled = compileImage(image, { features: allFeatures });
const stored = compiled.workflows.find(({ workflow }) => workflow === "kinds.Orders/Place");
const plan = loadPlan(Plan.encode(Plan.fromPartial(stored?.plan ?? {})).finish());

function evaluate(name: string, occasion: Occasion) {
  const trigger = plan.triggers.find((one) => one.trigger.name === name);
  if (trigger === undefined) throw new Error(`no trigger ${name}`);
  return evaluateTrigger(plan, trigger, occasion);
}

/** A contract.v1.Line. */
function line(sku: string, quantity: number): Uint8Array {
  return new BinaryWriter().uint32(10).string(sku).uint32(16).int32(quantity).finish();
}

function textOf(request: Uint8Array, number: number): string | undefined {
  const reader = new BinaryReader(request);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === number) return reader.string();
    reader.skip(wire);
  }
  return undefined;
}

describe("a trigger", () => {
  it("of a cron builds the request from its nominal time", () => {
    const nominalMs = Date.parse("2026-03-02T01:30:00Z");
    const triggered = evaluate("nightly", { kind: "time", nominalMs });
    expect(triggered.kind === "request" ? textOf(triggered.request, 1) : triggered).toBe("night-2026-03-02T01:30:00Z");
    expect(evaluate("nightly", { kind: "time", nominalMs })).toEqual(triggered);
  });

  it("whose condition is false wants nothing", () => {
    expect(evaluate("nightly", { kind: "time", nominalMs: Date.parse("2026-03-01T01:30:00Z") })).toEqual({
      kind: "unwanted",
    });
    expect(evaluate("placed", { kind: "event", event: line("tea", 0) })).toEqual({ kind: "unwanted" });
  });

  it("of a subject builds the request from the event", () => {
    const triggered = evaluate("placed", { kind: "event", event: line("tea", 3) });
    expect(triggered.kind === "request" ? textOf(triggered.request, 1) : triggered).toBe("tea");
  });

  it("without `input` hands the event on, when it has the type", () => {
    expect(evaluate("seen", { kind: "event", event: line("tea", 3) })).toEqual({
      kind: "request",
      request: line("tea", 3),
    });
  });

  it("tells of an event that is no message of the type", () => {
    const garbage = new TextEncoder().encode("not protobuf");
    for (const name of ["placed", "seen"]) {
      const triggered = evaluate(name, { kind: "event", event: garbage });
      expect(triggered.kind).toBe("failed");
      expect(triggered.kind === "failed" ? triggered.message : "").toMatch(
        /^trigger\[\d\]\.(when|input): .* contract\.v1\.Line/,
      );
    }
  });

  it("is part of the version: its content changes with each word of it", () => {
    const contract = buildContract();
    const made = [
      undefined,
      { line: "0 2 * * *" },
      { line: "0 3 * * *" },
      { line: "0 2 * * *", timeZone: "Europe/Berlin" },
      { line: "0 2 * * *", overlap: Overlap_Policy.ALLOW },
    ].map((cron) => {
      const trigger = cron && { name: "nightly", kind: { $case: "cron" as const, value: cron }, input: "{}" };
      const workflow = {
        trigger: trigger === undefined ? [] : [trigger],
        step: [{ kind: { $case: "let" as const, value: { value: "1" } } }],
        output: "{}",
      };
      const set = toBinary(FileDescriptorSetSchema, makeSet(contract, [{ workflow }]));
      const [one] = compileImage(set, { features: allFeatures }).workflows;
      return Buffer.from(one?.contentPreimage ?? "").toString("hex");
    });
    expect(made.includes("")).toBe(false);
    expect(new Set(made).size).toBe(made.length);
  });

  it("comes up to fifty times in a workflow, and no more", () => {
    const contract = buildContract();
    const said = [50, 51].map((count) => {
      const trigger = Array.from({ length: count }, (_, index) => {
        const cron = { $case: "cron" as const, value: { every: "1h" } };
        return { name: `t${index}`, kind: cron, input: "{}" };
      });
      const step = [{ kind: { $case: "let" as const, value: { value: "1" } } }];
      const set = toBinary(FileDescriptorSetSchema, makeSet(contract, [{ workflow: { trigger, step, output: "{}" } }]));
      return errorsOf(compileImage(set, { features: allFeatures }).diagnostics).map(({ code }) => code);
    });
    expect(said).toEqual([[], ["SIDESTEP1307"]]);
  });
});
