import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";

/** Tokens that fence attempts: unguessable, and the same from every orchestrator of a cluster. */
export interface Credentials {
  /** HMAC of an attempt's key. */
  token(attemptKey: string): Uint8Array;
  /** Whether the token is the attempt's, by any of the secrets. */
  isAuthentic(attemptKey: string, token: Uint8Array): boolean;
}

/** The first secret signs, all verify: a secret is replaced by putting the new one before it. */
export function toCredentials(secrets: readonly [Uint8Array, ...Uint8Array[]]): Credentials {
  const sign = (secret: Uint8Array, attemptKey: string): Buffer => createHmac("sha256", secret).update(attemptKey).digest();
  return {
    token: (attemptKey) => sign(secrets[0], attemptKey),
    isAuthentic: (attemptKey, token) =>
      secrets.some((secret) => {
        const expected = sign(secret, attemptKey);
        return token.length === expected.length && timingSafeEqual(expected, token);
      }),
  };
}

/** SHA-256 of a string's UTF-8 bytes. */
export function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

const namespace = Buffer.from("6f1a4a4e1a8d5c0bb0d2e2b1a5d1c7e3", "hex");

/** The idempotency key of a logical call: UUIDv5 of its step key, equal for all its attempts. */
export function idempotencyKey(stepKey: string): string {
  const hash = createHash("sha1").update(namespace).update(stepKey).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex", 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
