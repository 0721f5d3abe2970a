import { Buffer } from "node:buffer";
import { hash, timingSafeEqual } from "node:crypto";

/** Tokens that fence attempts: unguessable, and the same from every orchestrator of a cluster. */
export interface Credentials {
  /** HMAC-SHA256 of an attempt's key. */
  token(attemptKey: string): Uint8Array;
  /** Whether the token is the attempt's, by any of the secrets. */
  isAuthentic(attemptKey: string, token: Uint8Array): boolean;
}

/** The first secret signs, all verify: a secret is replaced by putting the new one before it. */
export function toCredentials(secrets: readonly [Uint8Array, ...Uint8Array[]]): Credentials {
  const sign = remembering(toHmac(secrets[0]));
  const older = secrets.slice(1).map(toHmac);
  return {
    token: sign,
    isAuthentic: (attemptKey, given) =>
      isSame(sign(attemptKey), given) || older.some((signOlder) => isSame(signOlder(attemptKey), given)),
  };
}

const blockBytes = 64;

/** A power of two: tokens of so many attempts are at hand, some 200 bytes each. */
const remembered = 4096;

/**
 * A token is made for an attempt and asked for again when its outcome comes. Each key has one place, which the next one takes: nothing is ever
 * removed, and nothing grows. A `Map` that drops its first entry for each new one costs more than to make the token.
 */
function remembering(sign: (text: string) => Buffer): (text: string) => Buffer {
  const keys = Array.from({ length: remembered }, (): string | undefined => undefined);
  const tokens = Array.from({ length: remembered }, (): Buffer | undefined => undefined);
  // The key of another attempt is told by its number: what it says is in memory that nobody has looked at for long.
  const numbers = new Int32Array(remembered);
  return (key) => {
    let number = 0;
    // Where a run id is random, and what follows it.
    for (let at = 24; at < key.length; at++) number = (Math.imul(number, 31) + key.charCodeAt(at)) | 0;
    const place = number & (remembered - 1);
    if (numbers[place] === number && keys[place] === key) {
      const known = tokens[place];
      if (known !== undefined) return known;
    }
    const token = sign(key);
    numbers[place] = number;
    keys[place] = key;
    tokens[place] = token;
    return token;
  };
}

/** HMAC-SHA256 (RFC 2104) out of one-shot hashes: 1 µs, where createHmac wraps the key anew each time and takes 12. */
function toHmac(secret: Uint8Array): (text: string) => Buffer {
  const key = Buffer.alloc(blockBytes);
  key.set(secret.length > blockBytes ? hash("sha256", secret, "buffer") : secret);
  const inner = key.map((byte) => byte ^ 0x36);
  const outer = Buffer.concat([key.map((byte) => byte ^ 0x5c), Buffer.alloc(32)]);
  return (text) => {
    const message = Buffer.allocUnsafe(blockBytes + Buffer.byteLength(text));
    message.set(inner);
    message.write(text, blockBytes);
    outer.write(hash("sha256", message, "hex"), blockBytes, "hex");
    return Buffer.from(hash("sha256", outer, "hex"), "hex");
  };
}

function isSame(expected: Uint8Array, given: Uint8Array): boolean {
  return given.length === expected.length && timingSafeEqual(expected, given);
}

/** SHA-256 of a string's UTF-8 bytes. */
export function sha256(text: string): Uint8Array {
  // By way of text: it takes half the time that bytes take.
  return Buffer.from(hash("sha256", text, "hex"), "hex");
}

const namespace = Buffer.from("6f1a4a4e1a8d5c0bb0d2e2b1a5d1c7e3", "hex");
const namedKept = Buffer.alloc(512);
/** First digit of the fourth group: its two upper bits are the variant of RFC 9562. */
const variants = "89ab89ab89ab89ab";

/** The idempotency key of a logical call: UUIDv5 of its step key, equal for all its attempts. */
export function idempotencyKey(stepKey: string): string {
  const size = namespace.length + Buffer.byteLength(stepKey);
  const named = size <= namedKept.length ? namedKept.subarray(0, size) : Buffer.alloc(size);
  namespace.copy(named);
  named.write(stepKey, namespace.length);
  const hex = hash("sha1", named, "hex");
  const variant = variants.charAt(Number.parseInt(hex.charAt(16), 16));
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
