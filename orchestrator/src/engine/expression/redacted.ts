import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** The field is declared `debug_redact`. */
export function isRedacted({ proto }: DescField): boolean {
  return proto.options?.debugRedact === true;
}

/** A field of the message, or of one inside it, is declared `debug_redact`. */
export function holdsRedacted(message: DescMessage): boolean {
  return reachOf(message).redacted;
}

/** The same, or an Any or extensions, which may hold anything, stand in it. */
export function mayHoldRedacted(message: DescMessage): boolean {
  const { redacted, open } = reachOf(message);
  return redacted || open;
}

/** The number is left to extensions, whose declarations may be nobody's but their owner's. */
export function isExtension({ proto }: DescMessage, number: number): boolean {
  return proto.extensionRange.some(({ start, end }) => start <= number && number < end);
}

function reachOf(message: DescMessage): Reach {
  const known = reachByMessage.get(message);
  if (known !== undefined) return known;
  const found = reach(message);
  reachByMessage.set(message, found);
  return found;
}

const reachByMessage = new WeakMap<DescMessage, Reach>();

/** Full name of the message that holds any. */
export const anyName = "google.protobuf.Any";

/** What stands in a message or in those inside it. */
interface Reach {
  readonly redacted: boolean;
  /** An Any, or a message that can be extended. */
  readonly open: boolean;
}

function reach(from: DescMessage): Reach {
  const seen = new Set<DescMessage>([from]);
  let redacted = false;
  let open = false;
  for (const message of seen) {
    open ||= message.typeName === anyName || message.proto.extensionRange.length > 0;
    for (const field of message.fields) {
      redacted ||= isRedacted(field);
      const inside = messageOf(field);
      if (inside !== undefined) seen.add(inside);
    }
  }
  return { redacted, open };
}

/** The message in a field: itself, an element's, a value's of a map. */
export function messageOf(field: DescField): DescMessage | undefined {
  switch (field.fieldKind) {
    case "message":
      return field.message;
    case "list":
    case "map":
      return field.message;
    case "scalar":
    case "enum":
      return undefined;
  }
}
