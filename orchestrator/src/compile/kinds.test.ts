import { createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Cron_Overlap, Plan_Order } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Plan, Step } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { loadExpression } from "../engine/expression/load.ts";
import { compileImage } from "./compileImage.ts";
import { allFeatures } from "./feature.ts";
import { buildModules, errorsOf } from "./testing.ts";

const image = buildModules(["orchestrator/src/compile/testdata/contract", "orchestrator/src/compile/testdata/kinds"]);
const compiled = compileImage(image, { features: allFeatures });
const plan = planOf("kinds.Orders/Place");

function planOf(name: string): Plan {
  const found = compiled.workflows.find(({ workflow }) => workflow === name);
  if (found === undefined) throw new Error(JSON.stringify(errorsOf(compiled.diagnostics)));
  return found.plan;
}

/** The step of that id, however deep. */
function stepNamed(id: string): Step {
  const found = JSON.parse(JSON.stringify(plan, (_, value) => (typeof value === "bigint" ? String(value) : value)));
  const walk = (value: unknown): Step | undefined => {
    if (typeof value !== "object" || value === null) return undefined;
    if ("id" in value && value.id === id && "index" in value) return value as Step;
    for (const inner of Object.values(value)) {
      const step = walk(inner);
      if (step !== undefined) return step;
    }
    return undefined;
  };
  const step = walk(found);
  if (step === undefined) throw new Error(`no step ${id}`);
  return step;
}

describe("a plan with every kind of step", () => {
  it("has the results that the kinds give", () => {
    const ids = [
      "watched",
      "labels",
      "walk",
      "pages",
      "winner",
      "two",
      "tried",
      "review",
      "looked",
      "form",
      "child",
      "alone",
    ];
    expect(Object.fromEntries(ids.map((id) => [id, stepNamed(id).result?.name]))).toEqual({
      watched: "list(contract.v1.ReserveResponse)",
      labels: "list(string)",
      walk: "sidestep.plan.walk",
      pages: "list(int64)",
      winner: "string",
      two: "list(int64)",
      tried: "string",
      review: "contract.v1.Line",
      looked: "sidestep.v1.Decision",
      form: "contract.v1.Line",
      child: "contract.v1.Receipt",
      alone: undefined,
    });
  });

  it("names its signals and queries, and counts what it calls", () => {
    expect(plan.signals.map(({ name, type, method }) => [name, type, method])).toEqual([
      ["other", "contract.v1.Line", ""],
      ["reviewed", "contract.v1.Line", "kinds.Orders/Review"],
    ]);
    expect(plan.signals.map(({ key, start }) => [key?.source, start?.source])).toEqual([
      [undefined, undefined],
      ["input.sku", "{id: input.sku}"],
    ]);
    expect(plan.queries.map(({ method, output }) => [method, output?.path])).toEqual([["kinds.Orders/Ask", "output"]]);
    expect(plan.methods).toEqual([
      "contract.v1.Mirror/Pick",
      "contract.v1.Stock/Release",
      "contract.v1.Stock/Reserve",
      "contract.v1.Stock/Watch",
      "kinds.Mirrored/Take",
    ]);
    expect(plan.saga).toBe(Plan_Order.MANUAL);
    expect(planOf("kinds.Orders/Follow").streaming).toBe(true);
  });

  it("passes the run's own request on undecoded", () => {
    expect(stepNamed("passed").kind?.value).toMatchObject({ passesInput: true });
    expect(stepNamed("passed").kind?.value).not.toHaveProperty("request");
  });

  it("has descriptors for all that its expressions need", () => {
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, plan.descriptors));
    expect(registry.getMessage("sidestep.plan.walk")?.fields.map(({ number, name }) => [number, name])).toEqual([
      [1, "cursor"],
      [2, "total"],
      [3, "last"],
      [4, "seen"],
      [5, "counts"],
      [6, "kind"],
    ]);
    let loaded = 0;
    const walk = (value: unknown): void => {
      if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
      if ("checked" in value && value.checked instanceof Uint8Array) {
        loadExpression(value.checked, registry);
        loaded++;
      }
      for (const inner of Object.values(value)) walk(inner);
    };
    walk(plan);
    expect(loaded).toBeGreaterThan(50);
  });

  it("numbers its steps without those of compensations", () => {
    const undo = stepNamed("reserve").compensate?.block?.steps.map(({ index, name }) => [index, name]);
    expect(undo).toEqual([
      [0, "step[0].compensate.step[0]"],
      [1, "freed"],
    ]);
  });

  it("has its triggers by name, and those of its signals", () => {
    expect(plan.triggers.map(({ name, kind, signal }) => [name, kind?.$case, signal])).toEqual([
      ["beat", "cron", ""],
      ["nightly", "cron", ""],
      ["placed", "subject", ""],
      ["seen", "subject", "reviewed"],
    ]);
    expect(plan.triggers[0]?.kind?.value).toMatchObject({
      everyMs: 900_000,
      phaseMs: 60_000,
      overlap: Cron_Overlap.SKIP,
    });
    expect(plan.triggers[1]?.kind?.value).toEqual({
      line: "30 2 * * mon-fri",
      everyMs: 0,
      phaseMs: 0,
      timeZone: "Europe/Berlin",
      overlap: Cron_Overlap.BUFFER_ONE,
      catchUpMs: 7_200_000,
      jitterMs: 300_000,
    });
    expect(plan.triggers[2]?.kind?.value).toEqual({ pattern: "shop.*.placed.>", type: "contract.v1.Line" });
  });

  it("is the same bytes each time", () => {
    const again = compileImage(image, { features: allFeatures }).workflows.find(
      (one) => one.workflow === plan.workflow,
    );
    expect(again?.plan.descriptors).toEqual(plan.descriptors);
    expect(again?.plan).toEqual(plan);
  });
});

describe("what the engine lacks", () => {
  it.each([...allFeatures])("is refused: %s", (feature) => {
    const without = new Set([...allFeatures].filter((one) => one !== feature));
    const { diagnostics, workflows } = compileImage(image, { features: without });
    const said = errorsOf(diagnostics).filter(({ code }) => code === "SIDESTEP1010");
    const isTold = feature !== "request as it came";
    expect(workflows.length > 0).toBe(!isTold);
    expect(said.some(({ message }) => message === `\`${feature}\` is not supported yet`)).toBe(isTold);
  });
});

describe("the content of a workflow", () => {
  it("has its queries in it", () => {
    const before = compiled.workflows.find((one) => one.workflow === plan.workflow)?.contentPreimage;
    const set = fromBinary(FileDescriptorSetSchema, image);
    const service = set.file.find(({ package: name }) => name === "kinds")?.service[0];
    const method = service?.method.find((one) => one.name === "Ask");
    if (method?.options === undefined) throw new Error("the query has no option");
    method.options.$unknown = [];
    const after = compileImage(toBinary(FileDescriptorSetSchema, set), { features: allFeatures }).workflows;
    const without = after.find((one) => one.workflow === plan.workflow);
    expect(without?.plan.queries).toEqual([]);
    expect(without?.contentPreimage).not.toEqual(before);
  });
});
