import { createFileRegistry, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { buildImage } from "../../cli/src/buildImage.ts";
import { inventJson, inventMessage } from "./invent.ts";
import { toRegistry } from "./registry.ts";

async function registryOf(folder: string) {
  const built = await buildImage(folder);
  if (built.kind !== "built") throw new Error(`${folder} can't be built`);
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, built.image));
}

test("a message is a function of its descriptor and the seed", async () => {
  const registry = await registryOf("examples/order/proto");
  const charge = registry.getMessage("payment.v1.ChargeResponse") ?? registry.getMessage("payment.v1.Charge");
  if (charge === undefined) throw new Error("no charge");
  expect(inventJson(charge, { seed: 1 })).toEqual(inventJson(charge, { seed: 1 }));
  expect(inventJson(charge, { seed: 1 })).not.toEqual(inventJson(charge, { seed: 2 }));
});

test("each message of the examples and of our own API gets values that its type takes", async () => {
  const seen: string[] = [];
  const registries = [
    toRegistry(),
    await registryOf("examples/order/proto"),
    await registryOf("examples/approval/proto"),
  ];
  for (const registry of registries) {
    for (const type of registry) {
      if (type.kind !== "message") continue;
      for (const seed of [1, 2, 3]) {
        const message = inventMessage(type, { seed });
        expect(fromBinary(type, toBinary(type, message))).toEqual(message);
        toJson(type, message, { registry });
      }
      seen.push(type.typeName);
    }
  }
  expect(seen).toContain("shop.v1.FulfilRequest");
  expect(seen).toContain("google.protobuf.Timestamp");
});

test("texts and numbers are of the kind that a field's name says, and times lie behind the given one", async () => {
  const registry = await registryOf("examples/order/proto");
  const request = registry.getMessage("shop.v1.FulfilRequest");
  const response = registry.getMessage("shop.v1.FulfilResponse");
  if (request === undefined || response === undefined) throw new Error("no messages");
  for (let seed = 0; seed < 50; seed++) {
    expect(inventJson(request, { seed })).toMatchObject({
      order_id: expect.stringMatching(/^order-[0-9a-f]{4}$/),
      total: { currency: expect.stringMatching(/^[A-Z]{3}$/) },
    });
    const nowMs = Date.UTC(2030, 0, 1);
    const { eta } = inventJson(response, { seed, nowMs }) as { eta: string };
    expect(Date.parse(eta)).toBeLessThanOrEqual(nowMs);
    expect(Date.parse(eta)).toBeGreaterThan(nowMs - 31 * 86_400_000);
  }
});

test("a message inside of one of its own type is left unset", () => {
  const type = toRegistry().getMessage("google.protobuf.DescriptorProto");
  if (type === undefined) throw new Error("no DescriptorProto");
  const invented = Array.from({ length: 20 }, (_, seed) => inventJson(type, { seed }) as Record<string, unknown[]>);
  expect(invented.some(({ field }) => field?.length !== 0)).toBe(true);
  for (const { nested_type: nested } of invented) expect(nested).toEqual([]);
});
