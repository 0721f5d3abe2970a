import type { Field } from "./hpackTable.ts";

/** No capital letters, no controls, no spaces, no colon within. */
const nameForm = /^[!-9;-@[-~]+$/;
/** No NUL, CR or LF. Blanks around are against the RFC, but servers send messages of errors that end with one. */
const valueForm = /^[^\0\r\n]*$/;
const ofConnection: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** Whether a field that is no pseudo-header may stand in a list (RFC 9113, section 8.2). */
export function isField([name, value]: Field): boolean {
  return nameForm.test(name) && valueForm.test(value) && !ofConnection.has(name);
}

/** What is wrong about a list, shown to people. */
export function malformed([name, value]: Field): { readonly kind: "malformed"; readonly message: string } {
  return { kind: "malformed", message: `the header ${JSON.stringify(`${name}: ${value}`.slice(0, 100))} can't be` };
}
