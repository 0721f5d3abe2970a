import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { loadPlan } from "../engine/loadPlan.ts";
import { compileImage } from "./compileImage.ts";
import { defaultCompileLimits } from "./limits.ts";
import { errorsOf, buildContract, compileRight, extension, makeSet, output, pause, reserve } from "./testing.ts";

const contract = buildContract();
const workflow = {
  key: "input.id",
  step: [
    reserve,
    { id: "slow", when: "input.express", ...pause },
    { kind: { $case: "parallel", value: { branch: [{ step: [pause] }] } } },
  ],
  output,
} as const;
const good = toBinary(FileDescriptorSetSchema, makeSet(contract, [{ workflow }]));
const made = makeSet(contract, [{ workflow }]);
const option = made.file.at(-1)?.service[0]?.method[0]?.options?.$unknown?.[0]?.data ?? new Uint8Array();

/** An image whose workflow option holds these bytes. */
function imageWithOption(bytes: Uint8Array): Uint8Array {
  const set = makeSet(contract, [{ workflow }]);
  const options = set.file.at(-1)?.service[0]?.method[0]?.options;
  if (options !== undefined) options.$unknown = [extension(bytes)];
  return toBinary(FileDescriptorSetSchema, set);
}

/** Bytes with some of them changed, and cut off somewhere. */
function damaged(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
  return fc.tuple(fc.array(change, { maxLength: 8 }), fc.nat(bytes.length)).map(([changes, cut]) => {
    const copy = Uint8Array.from(bytes);
    for (const [at, value] of changes) copy[at] = value;
    return changes.length % 2 === 0 ? copy.slice(0, cut) : copy;
  });
}

/** Compiling never throws; what is not compiled is told. */
function isCompiledOrTold(image: Uint8Array): boolean {
  const { workflows, diagnostics } = compileImage(image);
  return errorsOf(diagnostics).length === 0 || workflows.length === 0;
}

/** Tries many images. */
function tried(images: fc.Arbitrary<Uint8Array>, numRuns: number): fc.RunDetails<[Uint8Array]> {
  return fc.check(fc.property(images, isCompiledOrTold), { numRuns });
}

describe("hostile bytes", () => {
  it("are no image", () => {
    expect(tried(fc.uint8Array({ maxLength: 200 }), 300)).toMatchObject({ failed: false });
    expect(compileImage(Uint8Array.of(1, 2, 3)).diagnostics).toMatchObject([
      { code: "SIDESTEP1001", file: "", line: 0 },
    ]);
  });

  it("in an image are told or harmless", () => {
    expect(tried(damaged(good), 200)).toMatchObject({ failed: false });
  });

  it("in an option are told or harmless", () => {
    expect(tried(damaged(option.subarray(2)).map(imageWithOption), 200)).toMatchObject({ failed: false });
    expect(tried(fc.uint8Array({ maxLength: 100 }).map(imageWithOption), 200)).toMatchObject({ failed: false });
  });

  it("in a stored plan are refused with an error, or harmless", () => {
    const { plan } = compileRight(contract, { workflow });
    const isLoadedOrRefused = (bytes: Uint8Array): boolean => {
      try {
        return loadPlan(bytes).steps.length > 0 || bytes.length < 1_000;
      } catch (error) {
        return error instanceof Error && !error.message.includes("call stack");
      }
    };
    const run = fc.check(fc.property(damaged(Plan.encode(plan).finish()), isLoadedOrRefused), { numRuns: 500 });
    expect(run).toMatchObject({ failed: false });
  });

  it("that nest without end are told", () => {
    // Workflow.step { parallel { branch { step { … } } } }
    let bytes: Uint8Array = new Uint8Array();
    for (let depth = 0; depth < 3000; depth++) {
      const branch = new BinaryWriter()
        .uint32((1 << 3) | 2)
        .bytes(bytes)
        .finish();
      const parallel = new BinaryWriter()
        .uint32((1 << 3) | 2)
        .bytes(branch)
        .finish();
      bytes = new BinaryWriter()
        .uint32((7 << 3) | 2)
        .bytes(parallel)
        .finish();
    }
    const step = new BinaryWriter()
      .uint32((10 << 3) | 2)
      .bytes(bytes)
      .finish();
    const { diagnostics } = compileImage(imageWithOption(step));
    expect(diagnostics.map((one) => one.code)).toEqual(["SIDESTEP1003"]);
  });

  it("that import each other in a circle are told", () => {
    const file = ["a.proto", "b.proto"].map((name, index) =>
      create(FileDescriptorProtoSchema, { name, syntax: "proto3", dependency: [index === 0 ? "b.proto" : "a.proto"] }),
    );
    expect(isCompiledOrTold(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file })))).toBe(true);
  });
});

describe("limits", () => {
  const limits = defaultCompileLimits;
  const codesOf = (changed: Partial<typeof limits>, image = good): readonly string[] =>
    errorsOf(compileImage(image, { limits: { ...limits, ...changed } }).diagnostics).map((one) => one.code);

  it("hold for the image's size: at the limit it compiles, one byte over it does not", () => {
    expect(codesOf({ imageBytesMax: good.length })).toEqual([]);
    expect(codesOf({ imageBytesMax: good.length - 1 })).toEqual(["SIDESTEP1002"]);
  });

  it("hold for the number of steps, nested ones counted", () => {
    expect(codesOf({ stepsMax: 4 })).toEqual([]);
    expect(codesOf({ stepsMax: 3 })).toEqual(["SIDESTEP1307"]);
  });

  it("hold for nesting", () => {
    expect(codesOf({ nestingMax: 2 })).toEqual([]);
    expect(codesOf({ nestingMax: 1 })).toEqual(["SIDESTEP1307"]);
  });

  it("hold for branches", () => {
    expect(codesOf({ branchesMax: 1 })).toEqual([]);
    expect(codesOf({ branchesMax: 0 })).toEqual(["SIDESTEP1307"]);
  });

  it("hold for durations", () => {
    expect(codesOf({ durationMaxMs: 1000 })).toEqual([]);
    expect(codesOf({ durationMaxMs: 999 })).toEqual(["SIDESTEP1301", "SIDESTEP1301"]);
  });

  it("hold for expressions", () => {
    expect(codesOf({ expression: { ...limits.expression, sourceBytesMax: output.length } })).toEqual([]);
    expect(codesOf({ expression: { ...limits.expression, sourceBytesMax: output.length - 1 } })).toEqual([
      "SIDESTEP1409",
    ]);
  });

  it("hold for entries and names", () => {
    const attribute = Array.from({ length: 3 }, (_, index) => ({ name: `a${index}`, value: "input.id" }));
    const image = toBinary(FileDescriptorSetSchema, makeSet(contract, [{ workflow: { ...workflow, attribute } }]));
    expect(codesOf({ entriesMax: 3 }, image)).toEqual([]);
    expect(codesOf({ entriesMax: 2 }, image)).toEqual(["SIDESTEP1307"]);
    expect(codesOf({ nameLengthMax: "reserve".length })).toEqual([]);
    expect(codesOf({ nameLengthMax: "reserve".length - 1 })).toEqual(["SIDESTEP1307", "SIDESTEP1402"]);
  });
});
