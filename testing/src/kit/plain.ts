import type { JsonObject, JsonValue, Message } from "@bufbuild/protobuf";

/** A value of protobuf JSON. Bytes may be a Uint8Array, large numbers a bigint, a Timestamp a Date, and any message one of protobuf-es. */
export type Plain =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Date
  | Message
  | readonly Plain[]
  | PlainMessage;

/** A message as a plain object, by the names of protobuf JSON or of the .proto file. */
export interface PlainMessage {
  readonly [name: string]: Plain | undefined;
}

/** What a message is given as. */
export type Given = PlainMessage | Message;

/** A message as protobuf JSON: camelCase names, and all fields that have no presence. */
export type JsonMessage = JsonObject;
export type Json = JsonValue;
