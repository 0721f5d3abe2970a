import type { Registry } from "@bufbuild/protobuf";
import { openEnvelope } from "./cloudEvent.ts";
import { garbage, toEvent } from "./content.ts";
import type { EventMessage, Garbage } from "./content.ts";

/** A message as the event that it brings. */
export interface DecodedEvent {
  readonly kind: "event";
  /** Bytes of the trigger's type. */
  readonly event: Uint8Array;
  /** What who sent it tells it from all others by; undefined: nothing but its place in its stream does. */
  readonly identity: string | undefined;
  /** Headers, and the attributes of its envelope. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Decodes a message as an event of the type: protobuf or JSON, by its content type or by its looks, in an envelope of CloudEvents or without. It is known
 * by its Nats-Msg-Id, else by the source and id of its envelope.
 */
export function decodeEvent(registry: Registry, type: string, message: EventMessage): DecodedEvent | Garbage {
  const known = registry.getMessage(type);
  if (known === undefined) return garbage(`the plan does not know the type ${type}`);
  const opened = openEnvelope(type, message);
  if (opened.kind === "garbage") return opened;
  const { headers } = message;
  const { attributes, content } = opened;
  const decoded = toEvent(known, content, registry);
  if (decoded.kind === "garbage") return decoded;
  return {
    kind: "event",
    event: decoded.event,
    identity: identityOf(headers, attributes),
    metadata: attributes.size === 0 ? headers : new Map([...headers, ...attributes]),
  };
}

function identityOf(headers: ReadonlyMap<string, string>, attributes: ReadonlyMap<string, string>): string | undefined {
  const id = headers.get("nats-msg-id") ?? "";
  if (id !== "") return `id ${id}`;
  const [source = "", name = ""] = [attributes.get("ce-source"), attributes.get("ce-id")];
  return name === "" ? undefined : `event ${source} ${name}`;
}
