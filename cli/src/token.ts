import { hashToken, isTokenName, makeToken, tokenLine } from "../../runtime/src/tokenFile.ts";
import type { Role } from "../../runtime/src/tokenFile.ts";
import { CliFailure, exit } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** Makes a token: prints it this once, and the line that lets it in. */
export function createToken({ name, role }: { readonly name: string; readonly role: Role }, terminal: Terminal): void {
  if (!isTokenName(name)) {
    const next = "up to 100 letters, digits and . _ @ + - are taken";
    throw new CliFailure(exit.usage, `${JSON.stringify(name)} is no name for a token`, "--name", next);
  }
  const token = makeToken();
  terminal.err("the token, shown this once:\n");
  terminal.out(`${token}\n`);
  terminal.err("the line for the file that the orchestrator is given with --tokens:\n");
  terminal.out(`${tokenLine({ name, role, sha256: hashToken(token) })}\n`);
}
