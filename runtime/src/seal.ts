import { createCipheriv, createDecipheriv, createHmac, hash, randomBytes } from "node:crypto";

/** What a payload is called and sealed with. */
export interface Seal {
  /** 32 hex digits. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

const algorithm = "aes-256-gcm";
const keyBytes = 32;
const nonceBytes = 12;
/** How much longer a sealed chunk is. */
export const tagBytes = 16;

/**
 * Makes seals: the same for the same bytes at the same place, so that writing them again is harmless, and for nobody else to guess, not even
 * for who knows the bytes.
 */
export function openSeals(): (place: string, bytes: Uint8Array) => Seal {
  const secret = randomBytes(keyBytes);
  return (place, bytes) => {
    const key = createHmac("sha256", secret)
      .update(`${place} `)
      .update(hash("sha256", bytes, "buffer"))
      .digest();
    return { id: hash("sha256", key, "hex").slice(0, 32), key };
  };
}

/** Chunk `n` under a key that seals one payload alone, so that the number may be the nonce. */
export function sealChunk(key: Uint8Array, n: number, chunk: Uint8Array): Uint8Array {
  const cipher = createCipheriv(algorithm, key, nonceOf(n));
  return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined: it is not what was sealed. */
export function openChunk(key: Uint8Array, n: number, sealed: Uint8Array): Uint8Array | undefined {
  if (key.length !== keyBytes || sealed.length < tagBytes) return undefined;
  const decipher = createDecipheriv(algorithm, key, nonceOf(n), { authTagLength: tagBytes });
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  const chunk = decipher.update(sealed.subarray(0, -tagBytes));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return chunk;
}

function nonceOf(n: number): Uint8Array {
  const nonce = Buffer.alloc(nonceBytes);
  nonce.writeUInt32BE(n, nonceBytes - 4);
  return nonce;
}
