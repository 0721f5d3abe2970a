import { createHmac } from "node:crypto";

/** The header that says who made a delivery. */
export const signatureHeader = "sidestep-signature";

/** "t=<seconds since 1970>,v1=<hex>": the HMAC-SHA-256 of `<t>.<body>`. An old one shows by its time. */
export function signatureOf(secret: Uint8Array, body: string, nowMs: number): string {
  const time = Math.floor(nowMs / 1000);
  return `t=${time},v1=${createHmac("sha256", secret).update(`${time}.${body}`).digest("hex")}`;
}
