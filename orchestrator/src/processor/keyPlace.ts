import { hash as digest } from "node:crypto";
import { buckets } from "../../../proto/wire/runId.ts";

/** Where the record of a key stands: the bucket is also that of the key's run. */
export function keyPlace(workflow: string, key: string): { readonly bucket: number; readonly hash: string } {
  const hash = digest("sha256", `${workflow}\0${key}`, "hex");
  return { bucket: Number.parseInt(hash.slice(0, 4), 16) % buckets, hash };
}
