import { assert, asyncProperty, constantFrom, integer, nat, oneof, record, string, uint8Array } from "fast-check";
import { hash } from "node:crypto";
import type { NatsConnection } from "@nats-io/transport-node";
import { afterEach, expect, test, vi } from "vitest";
import type { PayloadRef } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { toPayloads } from "./payloads.ts";
import type { Publisher } from "./publisher.ts";
import { openChunk, openSeals, sealChunk } from "./seal.ts";

afterEach(() => void vi.useRealTimers());

const names = toNames();
const content = Buffer.from("what is kept");
const id = hash("sha256", content, "hex").slice(0, 32);
const good: PayloadRef = {
  service: "shop.v1.Orders",
  id,
  chunks: 2,
  sizeBytes: content.length,
  runId: "ab".repeat(16),
  key: new Uint8Array(),
};
const sealed: PayloadRef = { ...good, id: "cd".repeat(16), key: Buffer.alloc(32, 7) };
const parts = [content.subarray(0, 5), content.subarray(5)];

/** A stream that has the two chunks of `good` and of `sealed`, and counts what it is asked; a subject that the server can't take is never answered. */
function openStream() {
  const chunks = new Map(
    [good, sealed].flatMap((ref) =>
      parts.map((chunk, n) => [
        `$JS.API.DIRECT.GET.${names.payloadsStream}.${names.payloadSubject(ref.service, ref.runId, ref.id, n)}`,
        ref === sealed ? sealChunk(ref.key, n, chunk) : chunk,
      ]),
    ),
  );
  const asked: string[] = [];
  const connection = {
    request: (subject: string) => {
      asked.push(subject);
      if (subject.length > 4000 || !/^[^\s.]+(\.[^\s.]+)*$/.test(subject))
        return Promise.reject(new Error("no answer"));
      const data = chunks.get(subject);
      if (data !== undefined) return Promise.resolve({ data });
      const isLeader = subject.startsWith("$JS.API.STREAM.MSG.GET.");
      return Promise.resolve(
        isLeader
          ? { data: Buffer.from('{"error":{"err_code":10037}}') }
          : { data: Buffer.alloc(0), headers: { code: 404 } },
      );
    },
  } as object as NatsConnection;
  return { asked, payloads: toPayloads(connection, {} as Publisher, names) };
}

test("a payload is read by its reference", async () => {
  const { payloads } = openStream();
  expect(await payloads.get(sealed)).toEqual(content);
  expect(await payloads.get(good)).toEqual(content);
});

test.each([
  ["another key", Buffer.alloc(32, 8)],
  ["half a key", Buffer.alloc(16, 7)],
  ["no key", new Uint8Array()],
])("with %s a sealed payload is none", async (_, key) => {
  const { payloads } = openStream();
  expect(await payloads.get({ ...sealed, key })).toBeUndefined();
});

test("seals are the same for the same bytes at the same place, and for nothing else", () => {
  const sealOf = openSeals();
  const seal = sealOf("here", content);
  expect(sealOf("here", Buffer.from(content))).toEqual(seal);
  const others = [sealOf("there", content), sealOf("here", parts[0] ?? content), openSeals()("here", content)];
  for (const other of others) {
    expect(other.id).not.toBe(seal.id);
    expect(other.key).not.toEqual(seal.key);
  }
});

test("a sealed chunk that was changed, or stands in another's place, opens to nothing", () => {
  const { key } = sealed;
  const chunk = sealChunk(key, 1, content);
  expect(Buffer.from(openChunk(key, 1, chunk) ?? "")).toEqual(content);
  expect(Buffer.from(openChunk(key, 0, sealChunk(key, 0, new Uint8Array())) ?? "none")).toHaveLength(0);
  expect(openChunk(key, 0, chunk)).toBeUndefined();
  for (let at = 0; at < chunk.length; at++) {
    const changed = Buffer.from(chunk);
    changed.writeUInt8((changed[at] ?? 0) ^ 1, at);
    expect(openChunk(key, 1, changed)).toBeUndefined();
  }
  expect(openChunk(key, 1, chunk.subarray(1))).toBeUndefined();
  expect(openChunk(key, 1, chunk.subarray(0, 15))).toBeUndefined();
});

test("a reference that claims more chunks than are stored costs a few reads and no memory", async () => {
  const { payloads, asked } = openStream();
  expect(await payloads.get({ ...good, chunks: 0xffff_ffff, sizeBytes: Number.MAX_SAFE_INTEGER })).toBeUndefined();
  expect(asked.length).toBeLessThan(20);
});

test.each([
  ["a service with a space", { service: "shop v1" }],
  ["no service", { service: "" }],
  ["a service too long for a subject", { service: "x".repeat(5000) }],
  ["a service that is a wildcard", { service: "*" }],
  ["an id with a line break", { id: "a\r\nPUB x 0" }],
  ["a run of another form", { runId: "." }],
  ["no chunks", { chunks: 0 }],
])("a reference with %s is one to nothing, and NATS is not asked", async (_, wrong) => {
  const { payloads, asked } = openStream();
  expect(await payloads.get({ ...good, ...wrong })).toBeUndefined();
  expect(asked).toEqual([]);
});

test("whatever a reference says, it gives the payload or nothing, and never fails", async () => {
  const text = (own: string) =>
    oneof(constantFrom(own), constantFrom("", ".", "*", ">", "a b", "\r\n", "\u0000", "ü"), string({ maxLength: 40 }));
  const ref = record({
    service: text(good.service),
    id: oneof(constantFrom(sealed.id), text(id)),
    runId: text(good.runId),
    chunks: oneof(constantFrom(1, 2), integer({ min: 0, max: 0xffff_ffff })),
    sizeBytes: oneof(constantFrom(content.length), nat(), constantFrom(Number.MAX_SAFE_INTEGER)),
    key: oneof(constantFrom(good.key, sealed.key), uint8Array({ maxLength: 40 })),
  });
  await assert(
    asyncProperty(ref, async (one) => {
      const { payloads, asked } = openStream();
      const bytes = await payloads.get(one);
      expect(bytes === undefined || content.equals(bytes)).toBe(true);
      expect(asked.length).toBeLessThan(20);
    }),
  );
});

test("who does not answer for a chunk is asked again only where servers form a cluster: a lone one that is slow would only have more to send", async () => {
  vi.useFakeTimers();
  const ask = async (cluster: string | undefined): Promise<number> => {
    let asked = 0;
    const request = (): Promise<never> => {
      asked += 1;
      return Promise.withResolvers<never>().promise;
    };
    const connection = { request, info: { cluster } } as object as NatsConnection;
    void toPayloads(connection, {} as Publisher, names).get({ ...good, chunks: 1 });
    await vi.advanceTimersByTimeAsync(3_500);
    return asked;
  };
  expect([await ask(undefined), await ask("c")]).toEqual([1, 4]);
});
