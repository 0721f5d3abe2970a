import { createHash } from "node:crypto";
import { buckets } from "../../../proto/wire/runId.ts";

/** Where the record of a key stands: the bucket is also that of the key's run. */
export function keyPlace(workflow: string, key: string): { readonly bucket: number; readonly hash: string } {
  const hash = createHash("sha256").update(workflow).update("\0").update(key).digest();
  return { bucket: hash.readUInt16BE(0) % buckets, hash: hash.toString("hex") };
}
