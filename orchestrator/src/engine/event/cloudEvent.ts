import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { CloudEvent } from "../../../../proto/gen/sidestep/internal/v1/trigger.ts";
import { garbage, guessJson, isJson, mediaTypeOf, parseJson } from "./content.ts";
import type { Content, EventMessage, Garbage } from "./content.ts";

/** What a message brings, and what its envelope says of it. */
export interface Opened {
  readonly kind: "opened";
  /** Context attributes of CloudEvents 1.0, by the names of the HTTP binding: "ce-id", "ce-source", "ce-type" …; none: it was in no envelope. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly content: Content;
}

const envelopeType = "io.cloudevents.v1.CloudEvent";

/**
 * Takes off the envelope of a CloudEvent, if there is one: in binary mode (`ce-` headers), or structured, as JSON or protobuf.
 * https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents
 */
export function openEnvelope(type: string, { headers, data }: EventMessage): Opened | Garbage {
  const mediaType = mediaTypeOf(headers.get("content-type"));
  if (mediaType.startsWith("application/cloudevents-batch"))
    return garbage("it is a batch of CloudEvents: each has to be a message of its own");
  if (mediaType === "application/cloudevents+json") {
    const parsed = parseJson(data);
    return parsed.kind === "json" ? fromStructured(parsed.json) : parsed;
  }
  if (mediaType === "application/cloudevents+protobuf") return fromProtobuf(type, data);
  if (headers.has("ce-specversion")) return fromHeaders(headers, data, mediaType);
  const guessed = mediaType === "" ? guessJson(data) : undefined;
  if (guessed === undefined) return plain({ kind: "bytes", bytes: data, mediaType });
  return looksStructured(guessed) ? fromStructured(guessed) : plain({ kind: "json", json: guessed });
}

function plain(content: Content): Opened {
  return { kind: "opened", attributes: noAttributes, content };
}

const noAttributes: ReadonlyMap<string, string> = new Map();

function fromHeaders(headers: ReadonlyMap<string, string>, data: Uint8Array, mediaType: string): Opened | Garbage {
  const attributes = new Map<string, string>();
  for (const [name, value] of headers) if (name.startsWith("ce-")) attributes.set(name, percentDecoded(value));
  const said = mediaType === "" ? mediaTypeOf(attributes.get("ce-datacontenttype")) : mediaType;
  return checked(attributes, { kind: "bytes", bytes: data, mediaType: said });
}

function fromStructured(json: JsonValue): Opened | Garbage {
  if (!isObject(json)) return garbage("it is no CloudEvent: its JSON is no object");
  const attributes = new Map<string, string>();
  for (const [name, value] of Object.entries(json)) {
    if (name === "data" || name === "data_base64" || typeof value === "object") continue;
    attributes.set(`ce-${name}`, String(value));
  }
  const { data, data_base64: encoded } = json;
  const mediaType = mediaTypeOf(attributes.get("ce-datacontenttype"));
  if (typeof encoded === "string") {
    try {
      return checked(attributes, { kind: "bytes", bytes: base64Decode(encoded), mediaType });
    } catch {
      return garbage("its data_base64 is no base64");
    }
  }
  if (data === undefined || data === null) return checked(attributes, { kind: "json", json: {} });
  // JSON in a text, where the text is said to be JSON, is a JSON text: no message is one.
  if (mediaType === "" || isJson(mediaType)) return checked(attributes, { kind: "json", json: data });
  return garbage(`its data is ${mediaType.slice(0, 100)} and neither JSON nor data_base64`);
}

function fromProtobuf(type: string, bytes: Uint8Array): Opened | Garbage {
  let event: CloudEvent;
  try {
    event = CloudEvent.decode(bytes);
  } catch (error) {
    return garbage(`it is no ${envelopeType}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const attributes = new Map([
    ["ce-id", event.id],
    ["ce-source", event.source],
    ["ce-specversion", event.specVersion],
    ["ce-type", event.type],
  ]);
  for (const [name, { attr }] of Object.entries(event.attributes))
    if (attr !== undefined && attr.$case !== "ceBytes") attributes.set(`ce-${name}`, String(attr.value));
  if (type === envelopeType) return checked(attributes, { kind: "bytes", bytes, mediaType: "application/protobuf" });
  return checked(attributes, contentOf(event, mediaTypeOf(attributes.get("ce-datacontenttype"))));
}

function contentOf({ payload }: CloudEvent, mediaType: string): Content {
  switch (payload?.$case) {
    case "binary":
      return { kind: "bytes", bytes: payload.value, mediaType };
    case "text":
      return {
        kind: "bytes",
        bytes: new TextEncoder().encode(payload.value),
        mediaType: mediaType || "application/json",
      };
    case "packed":
      return { kind: "packed", typeUrl: payload.value.typeUrl, bytes: payload.value.value };
    case undefined:
      return { kind: "bytes", bytes: new Uint8Array(), mediaType: "application/protobuf" };
  }
}

function checked(attributes: ReadonlyMap<string, string>, content: Content): Opened | Garbage {
  for (const name of ["ce-id", "ce-source", "ce-type"])
    if ((attributes.get(name) ?? "") === "") return garbage(`it is no CloudEvent: it has no ${name.slice(3)}`);
  const version = attributes.get("ce-specversion") ?? "";
  if (!/^1\.\d+$/.test(version))
    return garbage(`it is a CloudEvent of version ${JSON.stringify(version.slice(0, 20))}: 1.0 is taken`);
  return { kind: "opened", attributes, content };
}

function looksStructured(json: JsonValue): boolean {
  return isObject(json) && ["specversion", "id", "source", "type"].every((name) => typeof json[name] === "string");
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** The bindings of HTTP and NATS spell what is no printable ASCII so. What is spelled wrong stays as it is. */
function percentDecoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
