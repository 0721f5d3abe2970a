import { readFileSync } from "node:fs";
import { errorText } from "../../runtime/src/log.ts";
import type { OrchestratorSettings } from "./config.ts";

const secretBytesMin = 16;

/** Those of the file, else the one that all orchestrators share by themselves. */
export function secretsOf(
  { secretFile }: Pick<OrchestratorSettings, "secretFile">,
  shared: Uint8Array,
): readonly [Uint8Array, ...Uint8Array[]] {
  return secretFile === undefined ? [shared] : readSecrets(secretFile);
}

/** One secret a line: the first signs, all verify. */
function readSecrets(file: string): readonly [Uint8Array, ...Uint8Array[]] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`--secret-file names a file that can't be read: ${errorText(error)}`, { cause: error });
  }
  const secrets = text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [Buffer.from(line.trim())]));
  const [first, ...older] = secrets;
  if (first !== undefined && secrets.every((secret) => secret.length >= secretBytesMin)) return [first, ...older];
  throw new Error(
    `--secret-file names ${file}: each of its lines must be a secret of at least ${secretBytesMin} characters`,
  );
}
