import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { compileImage } from "./compileImage.ts";
import { buildContract, compileMade, extension, makeSet, output, pause, reserve } from "./testing.ts";

const contract = buildContract();

describe("an image", () => {
  it("may hold several workflows of one service and of several", () => {
    const made = compileMade(contract, [
      { service: "Second", rpc: "Zeta", workflow: { step: [pause], output: "{}" } },
      { service: "Second", rpc: "Alpha", workflow: { step: [pause], output: "{}" } },
      { service: "First", rpc: "Only", workflow: { step: [pause], output: "{}" } },
    ]);
    expect(made.workflows.map((one) => one.workflow)).toEqual([
      "made.v1.First/Only",
      "made.v1.Second/Alpha",
      "made.v1.Second/Zeta",
    ]);
    expect(made.services).toEqual(["contract.v1.Mirror", "contract.v1.Stock", "made.v1.First", "made.v1.Second"]);
  });

  it("may hold an option in pieces, as protoc writes several statements", () => {
    const whole = makeSet(contract, [{ workflow: { key: "input.id", step: [reserve, pause], output } }]);
    const pieces = makeSet(contract, [{ workflow: { key: "input.id", step: [reserve] } }]);
    const rest = makeSet(contract, [{ workflow: { step: [pause], output } }]);
    const unknown = rest.file.at(-1)?.service[0]?.method[0]?.options?.$unknown ?? [];
    pieces.file.at(-1)?.service[0]?.method[0]?.options?.$unknown?.push(...unknown);
    const [joined] = compileImage(toBinary(FileDescriptorSetSchema, pieces)).workflows;
    const [direct] = compileImage(toBinary(FileDescriptorSetSchema, whole)).workflows;
    expect(joined).toEqual(direct);
  });

  it("may have its files in any order, each more than once", () => {
    const set = makeSet(contract, [{ workflow: { step: [reserve], output } }]);
    set.file = [...set.file.toReversed(), ...set.file];
    expect(compileImage(toBinary(FileDescriptorSetSchema, set)).workflows.length).toBe(1);
  });

  it("without workflows is no mistake", () => {
    expect(compileImage(toBinary(FileDescriptorSetSchema, contract))).toEqual({
      workflows: [],
      diagnostics: [],
      services: ["contract.v1.Mirror", "contract.v1.Stock"],
    });
  });

  it("is refused when an import is missing from it", () => {
    const set = makeSet(contract, [{ workflow: { step: [reserve], output } }]);
    set.file = set.file.filter((file) => file.name !== "contract/v1/contract.proto");
    const { diagnostics } = compileImage(toBinary(FileDescriptorSetSchema, set));
    expect(diagnostics).toMatchObject([{ code: "SIDESTEP1001", path: "" }]);
    expect(diagnostics[0]?.hint).toContain("--include_imports");
  });

  it("is refused when its options say what this version does not know", () => {
    const set = makeSet(contract, [{ workflow: { step: [pause], output: "{}" } }]);
    // Field 99 of Workflow.
    set.file.at(-1)?.service[0]?.method[0]?.options?.$unknown?.push(extension(Uint8Array.of(0x98, 0x06, 0x01)));
    expect(compileImage(toBinary(FileDescriptorSetSchema, set)).diagnostics).toMatchObject([
      { code: "SIDESTEP1004", message: "field 99 is not known to this version of Sidestep" },
    ]);
  });

  it("is refused when the schema in it lacks what expressions read", () => {
    const set = makeSet(contract, [{ workflow: { step: [pause], output: "{}" } }]);
    for (const file of set.file) file.messageType = file.messageType.filter((message) => message.name !== "RunRecord");
    expect(compileImage(toBinary(FileDescriptorSetSchema, set)).diagnostics).toMatchObject([{ code: "SIDESTEP1004" }]);
  });
});
