import { create, createRegistry, toBinary } from "@bufbuild/protobuf";
import { TimestampSchema, file_google_protobuf_descriptor } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { toRegistry } from "../../proto/json/registry.ts";
import { CliFailure } from "./failure.ts";
import { bytesToJson, bytesToText, jsonToBytes } from "./messageJson.ts";

const registry = toRegistry();
const type = "google.protobuf.Timestamp";

test("what JSON has no form for is told by its size where more is shown, and is a clear error where it is the answer", () => {
  const bytes = toBinary(TimestampSchema, create(TimestampSchema, { seconds: 253_402_300_800n }));
  expect(bytesToText(registry, type, bytes)).toMatch(
    /^\d+ bytes \(google\.protobuf\.Timestamp as it came can't be shown/,
  );
  expect(() => bytesToJson(registry, type, bytes)).toThrow(CliFailure);
  expect(bytesToText(registry, type, new Uint8Array())).toBe('"1970-01-01T00:00:00Z"');
});

test("bytes that are no message of their type are a clear error, too", () => {
  expect(() => bytesToJson(registry, type, Uint8Array.of(0xff))).toThrow(/can't be shown as JSON/);
});

test.each([
  ['{"nam": "a"}', "did you mean 'name'?"],
  ['{"pakage": "a"}', "did you mean 'package'?"],
  ['{"options": {"zzzzzzzz": 1}}', "google.protobuf.FileOptions has java_package, "],
])("%s names no field, and is told which there are", (json, hint) => {
  const known = createRegistry(file_google_protobuf_descriptor);
  const next = (): unknown => {
    try {
      return jsonToBytes(known, "google.protobuf.FileDescriptorProto", json);
    } catch (error) {
      return error instanceof CliFailure ? error.next : error;
    }
  };
  expect(next()).toContain(hint);
});
