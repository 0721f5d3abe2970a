import { fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";

/** A message as it came over NATS. */
export interface EventMessage {
  /** Names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
  readonly data: Uint8Array;
}

/** What an event is made of, its envelope taken off. */
export type Content =
  /** `mediaType`: in small letters, without parameters; empty: not said. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly mediaType: string }
  | { readonly kind: "json"; readonly json: JsonValue }
  /** google.protobuf.Any. */
  | { readonly kind: "packed"; readonly typeUrl: string; readonly bytes: Uint8Array };

export type Garbage = { readonly kind: "garbage"; readonly message: string };

/** The media type of a content-type header, without parameters. */
export function mediaTypeOf(header: string | undefined): string {
  return (header ?? "").split(";", 1).join("").trim().toLowerCase();
}

/** Whether it is a kind of JSON. */
export function isJson(mediaType: string): boolean {
  return /^(application|text)\/json$|\+json$/.test(mediaType);
}

const protobufTypes: ReadonlySet<string> = new Set([
  "application/protobuf",
  "application/x-protobuf",
  "application/vnd.google.protobuf",
  "application/octet-stream",
]);

/** The bytes of a message of the type. Names that the type does not have are left out of JSON, as they are of bytes. */
export function toEvent(
  type: DescMessage,
  content: Content,
  registry: Registry,
): { readonly kind: "event"; readonly event: Uint8Array } | Garbage {
  switch (content.kind) {
    case "json":
      return fromParsed(type, content.json, registry);
    case "packed": {
      const name = content.typeUrl.slice(content.typeUrl.lastIndexOf("/") + 1);
      return name === type.typeName
        ? fromBytes(type, content.bytes)
        : garbage(`the event is a ${name.slice(0, 200)}, and the trigger takes ${type.typeName}`);
    }
    case "bytes": {
      const { bytes, mediaType } = content;
      if (isJson(mediaType)) {
        const parsed = parseJson(bytes);
        return parsed.kind === "json" ? fromParsed(type, parsed.json, registry) : parsed;
      }
      if (mediaType === "") {
        const parsed = guessJson(bytes);
        return parsed === undefined ? fromBytes(type, bytes) : fromParsed(type, parsed, registry);
      }
      if (protobufTypes.has(mediaType)) return fromBytes(type, bytes);
      return garbage(`its content type is ${JSON.stringify(mediaType.slice(0, 100))}: protobuf and JSON are taken`);
    }
  }
}

/** JSON that is not said to be any: an object, which no message of proto3 begins like. */
export function guessJson(bytes: Uint8Array): JsonValue | undefined {
  if (bytes[0] !== openingBrace) return undefined;
  const parsed = parseJson(bytes);
  return parsed.kind === "json" ? parsed.json : undefined;
}

const openingBrace = 0x7b;

// Making one costs more than to decode by it.
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Bytes of UTF-8 as JSON. */
export function parseJson(bytes: Uint8Array): { readonly kind: "json"; readonly json: JsonValue } | Garbage {
  try {
    return { kind: "json", json: JSON.parse(utf8.decode(bytes)) };
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    // What V8 quotes of the text may be a secret; the position that it tells with it is none.
    const position = /at position \d+( \(line \d+ column \d+\))?/.exec(told)?.[0] ?? "at its end";
    return garbage(`it is no JSON: it goes wrong ${position}`);
  }
}

function fromParsed(type: DescMessage, json: JsonValue, registry: Registry): ReturnType<typeof toEvent> {
  try {
    const event = toBinary(type, fromJson(type, json, { registry, ignoreUnknownFields: true }));
    return { kind: "event", event };
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    // What follows quotes a value.
    return garbage(`it is no ${type.typeName}: ${told.replace(/ from JSON\b.*$/s, " from JSON").slice(0, 500)}`);
  }
}

function fromBytes(type: DescMessage, bytes: Uint8Array): ReturnType<typeof toEvent> {
  try {
    fromBinary(type, bytes);
    return { kind: "event", event: bytes };
  } catch (error) {
    return garbage(`the bytes are no ${type.typeName}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What can't be decoded; the message quotes nothing of it. */
export function garbage(message: string): Garbage {
  return { kind: "garbage", message };
}
