import { createRegistry, create, toBinary } from "@bufbuild/protobuf";
import { ApiSchema, MixinSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { CloudEvent } from "../../../../proto/gen/sidestep/internal/v1/trigger.ts";
import { decodeEvent } from "./decodeEvent.ts";

const registry = createRegistry(MixinSchema, StructSchema, ApiSchema);
const type = "google.protobuf.Mixin";
const mixin = toBinary(MixinSchema, create(MixinSchema, { name: "n", root: "r" }));
const text = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const decode = (data: Uint8Array, headers: Record<string, string> = {}, of = type) =>
  decodeEvent(registry, of, { headers: new Map(Object.entries(headers)), data });
const envelope = { specversion: "1.0", id: "7", source: "/shop", type: "placed" };
const isMixin = { kind: "event", event: mixin };

test("bytes of protobuf and JSON are told apart by content type, and by their looks where none is said", () => {
  const json = text({ name: "n", root: "r", more: [1] });
  expect(decode(mixin)).toMatchObject({ ...isMixin, identity: undefined });
  expect(decode(mixin, { "content-type": "application/x-protobuf" })).toMatchObject(isMixin);
  expect(decode(json)).toMatchObject(isMixin);
  expect(decode(json, { "content-type": "application/json; charset=utf-8" })).toMatchObject(isMixin);
  expect(decode(json, { "content-type": "application/vnd.shop+json" })).toMatchObject(isMixin);
  expect(decode(new Uint8Array())).toMatchObject({ kind: "event", event: new Uint8Array() });
  // Whoever says protobuf is believed.
  expect(decode(json, { "content-type": "application/protobuf" })).toMatchObject({ kind: "garbage" });
  expect(decode(text("<a/>"), { "content-type": "application/xml" })).toMatchObject({
    kind: "garbage",
    message: expect.stringContaining('"application/xml"'),
  });
});

test("garbage says what is wrong, and quotes nothing of it", () => {
  const message = (data: Uint8Array, headers?: Record<string, string>): string => {
    const decoded = decode(data, headers);
    return decoded.kind === "garbage" ? decoded.message : "";
  };
  expect(message(new Uint8Array([0xff, 0xff]))).toContain("the bytes are no google.protobuf.Mixin");
  expect(message(text('{"name": "secret"'), { "content-type": "application/json" })).toMatch(/^it is no JSON: it goes/);
  const wrong = message(text({ name: { secret: 1 } }));
  expect(wrong).toContain("name");
  expect(wrong).not.toContain("secret");
  expect(message(text([1]), { "content-type": "application/json" })).toContain("it is no google.protobuf.Mixin");
  expect(decode(mixin, {}, "shop.v1.Unknown")).toMatchObject({ kind: "garbage" });
});

test("an event is known by its Nats-Msg-Id, else by its envelope", () => {
  expect(decode(mixin, { "nats-msg-id": "m 1" })).toMatchObject({ identity: "id m 1" });
  const data = text({ ...envelope, data: { name: "n", root: "r" } });
  expect(decode(data)).toMatchObject({ ...isMixin, identity: "event /shop 7" });
  expect(decode(data, { "nats-msg-id": "m1" })).toMatchObject({ identity: "id m1" });
});

test("a structured CloudEvent is its data: JSON, base64, or none", () => {
  const content = { "content-type": "application/cloudevents+json" };
  expect(decode(text({ ...envelope, data: { name: "n", root: "r" } }), content)).toMatchObject(isMixin);
  const encoded = { data_base64: Buffer.from(mixin).toString("base64"), datacontenttype: "application/protobuf" };
  expect(decode(text({ ...envelope, ...encoded }), content)).toMatchObject(isMixin);
  expect(decode(text(envelope), content)).toMatchObject({ kind: "event", event: new Uint8Array() });
  const decoded = decode(text({ ...envelope, subject: "o-1", data: {} }), content);
  expect(decoded.kind === "event" && Object.fromEntries(decoded.metadata)).toEqual({
    ...content,
    "ce-id": "7",
    "ce-source": "/shop",
    "ce-specversion": "1.0",
    "ce-subject": "o-1",
    "ce-type": "placed",
  });
  const wrong = (value: object) => decode(text(value), content);
  expect(wrong({ ...envelope, id: "" })).toMatchObject({ message: expect.stringContaining("it has no id") });
  expect(wrong({ ...envelope, specversion: "0.3" })).toMatchObject({
    message: expect.stringContaining("1.0 is taken"),
  });
  expect(wrong({ ...envelope, data_base64: "%" })).toMatchObject({ message: expect.stringContaining("no base64") });
  expect(decode(text([]), { "content-type": "application/cloudevents-batch+json" })).toMatchObject({ kind: "garbage" });
});

test("JSON that only resembles an envelope is the event", () => {
  const decoded = decode(text({ id: "7", source: "s", type: "t" }), {}, "google.protobuf.Struct");
  expect(decoded).toMatchObject({ kind: "event", identity: undefined });
});

test("a CloudEvent in binary mode is its bytes", () => {
  const headers = { "ce-specversion": "1.0", "ce-id": "7", "ce-source": "/a%20b", "ce-type": "placed" };
  expect(decode(mixin, headers)).toMatchObject({ ...isMixin, identity: "event /a b 7" });
  const json = { ...headers, "ce-datacontenttype": "application/json" };
  expect(decode(text({ name: "n", root: "r" }), json)).toMatchObject(isMixin);
  expect(decode(mixin, { ...headers, "ce-type": "" })).toMatchObject({ message: expect.stringContaining("no type") });
});

test("a CloudEvent in protobuf is its bytes, its text or the message that it packs", () => {
  const content = { "content-type": "application/cloudevents+protobuf" };
  const event = (payload: CloudEvent["payload"]): Uint8Array =>
    CloudEvent.encode({
      id: "7",
      source: "/shop",
      specVersion: "1.0",
      type: "placed",
      attributes: {},
      payload,
    }).finish();
  const identity = "event /shop 7";
  const packed = (typeUrl: string) => event({ $case: "packed", value: { typeUrl, value: Buffer.from(mixin) } });
  expect(decode(event({ $case: "binary", value: Buffer.from(mixin) }), content)).toMatchObject({
    ...isMixin,
    identity,
  });
  expect(decode(event({ $case: "text", value: '{"name":"n","root":"r"}' }), content)).toMatchObject(isMixin);
  expect(decode(packed(`type.googleapis.com/${type}`), content)).toMatchObject({ ...isMixin, identity });
  expect(decode(packed("type.googleapis.com/shop.v1.Other"), content)).toMatchObject({
    message: "the event is a shop.v1.Other, and the trigger takes google.protobuf.Mixin",
  });
  expect(decode(new Uint8Array([0xff]), content)).toMatchObject({ kind: "garbage" });
});
