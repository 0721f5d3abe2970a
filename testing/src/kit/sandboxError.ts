/** What a test got wrong, or a run that can't go on as the test wants it: what happened, and what to do. */
export class SandboxError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "SandboxError";
  }
}
