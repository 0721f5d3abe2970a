import { ScalarType, create, toBinary } from "@bufbuild/protobuf";
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { Random } from "./random.ts";

/** Bytes of a message with some of its fields set, to numbers that sums don't overflow with. */
export function randomBytes(message: DescMessage, random: Random): Uint8Array {
  return toBinary(message, randomMessage(message, random, 2));
}

function randomMessage(message: DescMessage, random: Random, depth: number): Message {
  if (message.typeName === "google.protobuf.Timestamp")
    return create(message, { seconds: BigInt(1.7e9 + random.below(1e8)), nanos: random.below(1e9) });
  if (message.typeName === "google.protobuf.Duration")
    return create(message, { seconds: BigInt(random.below(86_400)) });
  const init: Record<string, unknown> = {};
  for (const field of message.fields) {
    if (random.chance(0.4) || (field.message !== undefined && depth === 0)) continue;
    if (field.oneof === undefined) init[field.localName] = valueOf(field, random, depth);
    else init[field.oneof.localName] = { case: field.localName, value: valueOf(field, random, depth) };
  }
  return create(message, init);
}

function valueOf(field: DescField, random: Random, depth: number): unknown {
  const single = (): unknown => {
    if (field.message !== undefined) return unwrap(field, randomMessage(field.message, random, depth - 1));
    if (field.enum !== undefined) return random.pick(field.enum.values).number;
    return scalarOf(field.scalar ?? ScalarType.STRING, random);
  };
  switch (field.fieldKind) {
    case "list":
      return Array.from({ length: random.below(4) }, single);
    case "map":
      return Object.fromEntries(Array.from({ length: random.below(3) }, (_, index) => [String(index), single()]));
    case "scalar":
    case "enum":
    case "message":
      return single();
  }
}

/** A singular wrapper field is given as its element. */
function unwrap(field: DescField, message: Message): unknown {
  const isWrapper = field.message?.typeName.startsWith("google.protobuf.") === true && "value" in message;
  return isWrapper && field.fieldKind === "message" ? message.value : message;
}

function scalarOf(scalar: ScalarType, random: Random): unknown {
  switch (scalar) {
    case ScalarType.BOOL:
      return random.chance(0.5);
    case ScalarType.STRING:
      return random.pick(["", "a", "order-1", "é😀"]);
    case ScalarType.BYTES:
      return Uint8Array.from({ length: random.below(4) }, () => random.below(256));
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return random.below(1000) / 4;
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return BigInt(random.below(1000));
    default:
      return random.below(1000);
  }
}
