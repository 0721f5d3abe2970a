import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethodUnary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, expect, test } from "vitest";
import { buildImage } from "../../cli/src/buildImage.ts";
import { delayed, fails, fake, loadContracts, openSandbox } from "./door.ts";
import type { Contracts } from "./door.ts";

let contracts: Contracts;
let move: DescMethodUnary;
let part: DescMessage;
let order: DescMessage;

/** What protobuf-es generates is what its own registry makes of the same image. */
beforeAll(async () => {
  const built = await buildImage("testing/testdata");
  if (built.kind !== "built") throw new Error("it can't be built");
  contracts = await loadContracts(built.image);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, built.image));
  const found = registry.getService("kit.v1.Depot")?.method["move"];
  const [known, asked] = [registry.getMessage("kit.v1.Part"), registry.getMessage("kit.v1.Order")];
  if (found?.methodKind !== "unary" || known === undefined || asked === undefined) throw new Error("no such types");
  [move, part, order] = [found as DescMethodUnary, known, asked];
});

test("fakes, requests and results may be messages of protobuf-es", async () => {
  const words: unknown[] = [];
  const fakes = {
    ...fake(move, (request, call) => {
      words.push(Reflect.get(request, "word"), call.purpose);
      return call.attempt === 1 ? fails("UNAVAILABLE", "not yet") : { name: "typed" };
    }),
    "kit.v1.Depot/Check": delayed("1s", create(part, { name: "whole" })),
  };
  const sandbox = openSandbox(contracts, { fakes });
  const run = await sandbox.start("kit.v1.KitWorkflow/People", create(order, { id: "p" })).reaches("asked");
  run.decide({ approved: true, by: "ann", form: { word: "w" } });
  await run.ended();
  expect(words).toEqual(["w", "forward", "w", "forward"]);
  expect(run.responseAs(createReport())).toMatchObject({ text: "typed" });
  expect(run.step("last")?.result).toMatchObject({ name: "whole" });
  const [call] = sandbox.calls("kit.v1.Depot/Move");
  expect(call?.requestAs(move.input)).toMatchObject({ $typeName: "kit.v1.Go", id: "p", word: "w" });
});

function createReport(): DescMessage {
  const report = move.parent.file.messages.find(({ name }) => name === "Report");
  if (report === undefined) throw new Error("no report");
  return report;
}

test("a message of another type is told, and so is a result that there is none of", async () => {
  const sandbox = openSandbox(contracts, { fakes: { "kit.v1.Depot/Move": create(order, { id: "o" }) } });
  expect(() => sandbox.start("kit.v1.KitWorkflow/People", create(part))).toThrow(
    /is a kit\.v1\.Part, wanted is a kit\.v1\.Order/,
  );
  const run = await sandbox.start("kit.v1.KitWorkflow/People").reaches("asked");
  expect(() => run.responseAs(createReport())).toThrow(/has not completed/);
  run.decide({ approved: true, by: "ann" });
  await expect(run.ended()).rejects.toThrow(/is a kit\.v1\.Order, wanted is a kit\.v1\.Part/);
});
