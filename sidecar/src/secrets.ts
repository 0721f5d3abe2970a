import { readFile } from "node:fs/promises";
import path from "node:path";

/** Finds the value of a secret by its name; undefined: there is none. */
export type Secrets = (name: string) => Promise<Uint8Array | undefined>;

const nameForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/;
const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * The secrets of a folder, one a file, its name the secret's: what Kubernetes and Docker mount. Read at each use, so a renewed secret is the
 * next call's; one line break at the end is not part of it. Without a folder there are none.
 */
export function toSecrets(folder: string | undefined): Secrets {
  return async (name) => {
    if (folder === undefined || !nameForm.test(name)) return undefined;
    try {
      return withoutLineBreak(await readFile(path.join(folder, name)));
    } catch {
      return undefined;
    }
  };
}

function withoutLineBreak(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== newline) return bytes;
  return bytes.subarray(0, bytes.at(-2) === carriageReturn ? -2 : -1);
}
