import { readFileSync, statSync } from "node:fs";
import { errorText } from "../../runtime/src/log.ts";
import type { Log } from "../../runtime/src/log.ts";
import { hashToken, parseTokenFile } from "../../runtime/src/tokenFile.ts";
import type { TokenEntry } from "../../runtime/src/tokenFile.ts";

/** Whom a token belongs to; undefined: nobody. */
export type Authenticate = (token: string) => Pick<TokenEntry, "name" | "role"> | undefined;

/** A change of the file counts within this time. */
const lookAgainMs = 1_000;
/** Tokens whose hash is known; beyond it they are hashed again. */
const knownMax = 10_000;

/** Reads a file of tokens, again when it has changed; while what it has become is wrong, those of before hold. Throws when it is wrong at first. */
export function openTokens(file: string, log: Log, now: () => number): Authenticate {
  let stamp = stampOf(file);
  let byHash = readTokens(file);
  let lookedMs = now();
  const known = new Map<string, TokenEntry>();
  const look = (): void => {
    lookedMs = now();
    try {
      const found = stampOf(file);
      if (found === stamp) return;
      stamp = found;
      byHash = readTokens(file);
      known.clear();
      log.info("the tokens were read again", { file, tokens: byHash.size });
    } catch (error) {
      log.error("the file of tokens can't be used; those of before hold", { file, error: errorText(error) });
    }
  };
  return (token) => {
    if (now() - lookedMs >= lookAgainMs) look();
    const entry = known.get(token) ?? byHash.get(hashToken(token));
    if (entry !== undefined && known.size < knownMax) known.set(token, entry);
    return entry;
  };
}

function stampOf(file: string): string {
  const { mtimeMs, size, ino } = statSync(file);
  return `${mtimeMs} ${size} ${ino}`;
}

function readTokens(file: string): ReadonlyMap<string, TokenEntry> {
  const read = parseTokenFile(readFileSync(file, "utf8"));
  if (read.kind === "wrong") throw new Error(`--tokens ${file}: ${read.problems.join("; ")}`);
  return new Map(read.entries.map((entry) => [entry.sha256, entry]));
}
