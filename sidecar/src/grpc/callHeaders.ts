import { remembered } from "../../../proto/wire/remembered.ts";
import { encodeFields, encodeName, lengthBytesMax, putLength } from "../../../runtime/src/http2/wire/hpackEncoder.ts";
import { fieldBytes, fieldOverhead } from "../../../runtime/src/http2/wire/hpackTable.ts";
import type { Field } from "../../../runtime/src/http2/wire/hpackTable.ts";
import type { CallRequest } from "../ports.ts";

const pathForm = /^[!-~]+$/;
const keyForm = /^[0-9a-z_.-]+$/;
/** What the transport sets itself, or HTTP/2 has no place for. */
const keysTaken: ReadonlySet<string> = new Set([
  "connection",
  "content-type",
  "grpc-accept-encoding",
  "grpc-timeout",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  "user-agent",
]);
const timeoutDigitsMax = 99_999_999;
const cachedMax = 1_000;
const scratchBytes = 16 * 1024;

type Name = { readonly encoded: Uint8Array; readonly isBinary: boolean; readonly listBytes: number };
type Prefix = { readonly encoded: Uint8Array; readonly listBytes: number };

/**
 * Writes the headers of calls as HTTP/2 has them. What is the same in each call of a method is encoded once; nothing is compressed, since the
 * service is beside us.
 */
export class CallHeaders {
  readonly #scheme: "http" | "https";
  readonly #authority: string;
  readonly #prefixOf = remembered((method) => this.#toPrefix(method));
  readonly #timeouts = new Map<number, Prefix>();
  readonly #nameOf = remembered(toName);
  #bytes: Buffer = Buffer.allocUnsafeSlow(scratchBytes);
  #listBytes = 0;

  constructor(scheme: "http" | "https", authority: string) {
    this.#scheme = scheme;
    this.#authority = authority;
  }

  /** Where the last ones written lie, from the beginning. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Size of the last ones written, as SETTINGS_MAX_HEADER_LIST_SIZE counts it. */
  get listBytes(): number {
    return this.#listBytes;
  }

  /** Writes the headers of a call over those of the last one; returns their length. Throws when one of the task's can't be sent. */
  write(request: Pick<CallRequest, "method" | "headers">, timeoutMs: number): number {
    const prefix = this.#prefixOf(request.method);
    const timeout = timeoutMs > 0 ? this.#timeoutOf(timeoutMs) : undefined;
    let bytesMax = prefix.encoded.length + (timeout?.encoded.length ?? 0);
    for (const { key, value } of request.headers) bytesMax += fieldBytesMax(key, value);
    if (this.#bytes.length < bytesMax) this.#bytes = Buffer.allocUnsafeSlow(bytesMax);
    this.#bytes.set(prefix.encoded, 0);
    this.#listBytes = prefix.listBytes;
    let at = prefix.encoded.length;
    if (timeout !== undefined) {
      this.#bytes.set(timeout.encoded, at);
      this.#listBytes += timeout.listBytes;
      at += timeout.encoded.length;
    }
    for (const { key, value } of request.headers) at = this.#put(at, key, value);
    return at;
  }

  #put(start: number, key: string, value: Uint8Array): number {
    const name = this.#nameOf(key);
    this.#bytes.set(name.encoded, start);
    let at = start + name.encoded.length;
    if (name.isBinary) {
      const text = toBase64(value);
      at = putLength(this.#bytes, at, text.length);
      at += this.#bytes.write(text, at, "latin1");
      this.#listBytes += name.listBytes + text.length;
      return at;
    }
    at = putLength(this.#bytes, at, value.length);
    for (let index = 0; index < value.length; index += 1) {
      const byte = value[index] ?? 0;
      if (byte < 0x20 || byte > 0x7e)
        throw new Error(`the value of ${key} is not printable ASCII; only names that end in -bin carry other bytes`);
      this.#bytes[at + index] = byte;
    }
    this.#listBytes += name.listBytes + value.length;
    return at + value.length;
  }

  // Looked up before anything is made: a call asks for eight of them.

  #toPrefix(method: string): Prefix {
    if (!pathForm.test(method)) throw new Error(`${JSON.stringify(method)} is no name of a method`);
    return toPrefix([
      [":method", "POST"],
      [":scheme", this.#scheme],
      [":authority", this.#authority],
      [":path", `/${method}`],
      ["te", "trailers"],
      ["content-type", "application/grpc"],
      ["user-agent", "sidestep-sidecar"],
      ["grpc-accept-encoding", "identity"],
    ]);
  }

  #timeoutOf(timeoutMs: number): Prefix {
    const known = this.#timeouts.get(timeoutMs);
    if (known !== undefined) return known;
    const made = toTimeout(timeoutMs);
    if (this.#timeouts.size >= cachedMax) this.#timeouts.clear();
    this.#timeouts.set(timeoutMs, made);
    return made;
  }
}

function toPrefix(fields: readonly Field[]): Prefix {
  return { encoded: encodeFields(fields), listBytes: fields.reduce((sum, field) => sum + fieldBytes(field), 0) };
}

function toTimeout(timeoutMs: number): Prefix {
  const text = timeoutMs > timeoutDigitsMax ? `${Math.ceil(timeoutMs / 1_000)}S` : `${timeoutMs}m`;
  return toPrefix([["grpc-timeout", text]]);
}

function toName(key: string): Name {
  const name = key.toLowerCase();
  if (!keyForm.test(name)) throw new Error(`${JSON.stringify(key)} is no name of a header`);
  if (keysTaken.has(name)) throw new Error(`${name} is not the task's to set`);
  return { encoded: encodeName(name), isBinary: name.endsWith("-bin"), listBytes: name.length + fieldOverhead };
}

function fieldBytesMax(key: string, value: Uint8Array): number {
  return 1 + 2 * lengthBytesMax + key.length + Math.ceil(value.length / 3) * 4;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
