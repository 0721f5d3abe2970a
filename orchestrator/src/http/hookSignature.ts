import { createHmac, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";

/** How old a signature that says its time may be, and how far ahead. */
const toleranceMs = 5 * 60_000;
const secretBytesMin = 16;

/** The secrets of a trigger, one a line of the folder's file `package.Service.Method.trigger`, read again each time; none: there is no file, or nothing fit in it. */
export async function readHookSecrets(folder: string | undefined, trigger: string): Promise<readonly Buffer[]> {
  if (folder === undefined) return [];
  try {
    const text = await readFile(path.join(folder, trigger.replaceAll("/", ".")), "utf8");
    const lines = text.split("\n").map((line) => Buffer.from(line.trim()));
    return lines.filter((line) => line.length >= secretBytesMin);
  } catch {
    return [];
  }
}

/** Signatures of a request, by their headers. */
export interface Signed {
  /** "sha256=<hex>" of the body: x-hub-signature-256. */
  readonly hub: string | undefined;
  /** "t=<seconds>,v1=<hex>" of "<t>.<body>": sidestep-signature. */
  readonly own: string | undefined;
}

/** Why the body is not from somebody who has one of the secrets; undefined: it is. */
export function whyNotSigned(
  { hub, own }: Signed,
  body: Buffer,
  secrets: readonly Buffer[],
  nowMs: number,
): string | undefined {
  const isOf = (text: string, given: string): boolean =>
    secrets.some((secret) => isSame(createHmac("sha256", secret).update(text).update(body).digest(), given));
  if (own !== undefined) {
    const [, seconds = "", given = ""] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(own) ?? [];
    if (seconds === "" || !isOf(`${seconds}.`, given)) return "the sidestep-signature is wrong";
    if (Math.abs(Number(seconds) * 1_000 - nowMs) > toleranceMs) return "the sidestep-signature is too old";
    return undefined;
  }
  const [, given = ""] = /^sha256=([0-9a-f]{64})$/.exec(hub ?? "") ?? [];
  if (hub === undefined) return "it is not signed: x-hub-signature-256 or sidestep-signature is wanted";
  return given !== "" && isOf("", given) ? undefined : "the x-hub-signature-256 is wrong";
}

function isSame(digest: Buffer, hex: string): boolean {
  const given = Buffer.from(hex, "hex");
  return given.length === digest.length && timingSafeEqual(given, digest);
}
