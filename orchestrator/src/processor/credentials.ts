import { Buffer } from "node:buffer";
import { hash, timingSafeEqual } from "node:crypto";

/** Tokens that fence attempts: unguessable, and the same from every orchestrator of a cluster. */
export interface Credentials {
  /** HMAC-SHA256 of an attempt's key. */
  token(attemptKey: string): Uint8Array;
  /** Whether the token is the attempt's, by any of the secrets. */
  isAuthentic(attemptKey: string, token: Uint8Array): boolean;
}

/** Tokens just made are wanted again when the outcome comes. */
const remembered = 10_000;

/** The first secret signs, all verify: a secret is replaced by putting the new one before it. */
export function toCredentials(secrets: readonly [Uint8Array, ...Uint8Array[]]): Credentials {
  const [sign, ...older] = [toHmac(secrets[0]), ...secrets.slice(1).map(toHmac)];
  const recent = new Map<string, Buffer>();
  const token = (attemptKey: string): Buffer => {
    const known = recent.get(attemptKey);
    if (known !== undefined) return known;
    const made = sign(attemptKey);
    recent.set(attemptKey, made);
    if (recent.size > remembered) {
      for (const oldest of recent.keys()) {
        recent.delete(oldest);
        break;
      }
    }
    return made;
  };
  return {
    token,
    isAuthentic: (attemptKey, given) =>
      isSame(token(attemptKey), given) || older.some((signOlder) => isSame(signOlder(attemptKey), given)),
  };
}

const blockBytes = 64;

/** HMAC-SHA256 (RFC 2104) out of one-shot hashes: some ten times cheaper than createHmac, which wraps the key anew each time. */
function toHmac(secret: Uint8Array): (text: string) => Buffer {
  const key = Buffer.alloc(blockBytes);
  key.set(secret.length > blockBytes ? hash("sha256", secret, "buffer") : secret);
  const inner = key.map((byte) => byte ^ 0x36);
  const outer = Buffer.concat([key.map((byte) => byte ^ 0x5c), Buffer.alloc(32)]);
  return (text) => {
    const message = Buffer.allocUnsafe(blockBytes + Buffer.byteLength(text));
    message.set(inner);
    message.write(text, blockBytes);
    outer.set(hash("sha256", message, "buffer"), blockBytes);
    return hash("sha256", outer, "buffer");
  };
}

function isSame(expected: Uint8Array, given: Uint8Array): boolean {
  return given.length === expected.length && timingSafeEqual(expected, given);
}

/** SHA-256 of a string's UTF-8 bytes. */
export function sha256(text: string): Uint8Array {
  return hash("sha256", text, "buffer");
}

const namespace = Buffer.from("6f1a4a4e1a8d5c0bb0d2e2b1a5d1c7e3", "hex");

/** The idempotency key of a logical call: UUIDv5 of its step key, equal for all its attempts. */
export function idempotencyKey(stepKey: string): string {
  const digest = hash("sha1", Buffer.concat([namespace, Buffer.from(stepKey)]), "buffer");
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  const hex = digest.toString("hex", 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
