import { createHash, randomBytes } from "node:crypto";

/** What a token lets its holder do: see docs/security.md. From viewer on, each may what those before it may; a caller only starts runs and talks to them. */
export const roles = ["caller", "viewer", "operator", "deployer", "admin"] as const;
export type Role = (typeof roles)[number];

/** One line of a file of tokens. */
export interface TokenEntry {
  /** Who holds it: the actor of what is done with it. */
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token in hex. It has 256 bits of chance, so that a slow hash would protect nothing more. */
  readonly sha256: string;
}

export type TokenFile =
  | { readonly kind: "tokens"; readonly entries: readonly TokenEntry[] }
  | { readonly kind: "wrong"; readonly problems: readonly string[] };

/** A new token, as its holder gets it once. */
export function makeToken(): string {
  return `sst_${randomBytes(32).toString("base64url")}`;
}

/** What is kept of a token. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** An entry as a line of the file. */
export function tokenLine({ name, role, sha256 }: TokenEntry): string {
  return `${name} ${role} sha256:${sha256}`;
}

/** Whether tokens can be held under the name. */
export function isTokenName(name: string): boolean {
  return /^[\w.@+-]{1,100}$/.test(name);
}

/** Reads a file of tokens: `name role sha256:<hex>` a line, # begins a remark. Tells all that is wrong with it, by line. */
export function parseTokenFile(text: string): TokenFile {
  const problems: string[] = [];
  const entries: TokenEntry[] = [];
  const seen = new Set<string>();
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.replace(/#.*$/, "").trim().split(/\s+/);
    if (words[0] === "") continue;
    const [name = "", given, hash = ""] = words;
    const role = roles.find((one) => one === given);
    const sha256 = /^sha256:([0-9a-f]{64})$/.exec(hash)?.[1];
    if (!isTokenName(name) || role === undefined || sha256 === undefined || words.length !== 3)
      problems.push(`line ${index + 1}: expected a name, one of ${roles.join(", ")}, and sha256:<64 hex digits>`);
    else if (seen.has(sha256)) problems.push(`line ${index + 1}: the token stands there twice`);
    else entries.push({ name, role, sha256 });
    if (sha256 !== undefined) seen.add(sha256);
  }
  return problems.length === 0 ? { kind: "tokens", entries } : { kind: "wrong", problems };
}
