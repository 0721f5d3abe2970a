import type { RunId } from "../../../proto/wire/runId.ts";
import { beginsRun } from "./eventIn.ts";
import type { Ownership } from "./ownership.ts";
import type { Reach } from "./reach.ts";
import { isUnsure } from "./residents.ts";
import type { Residents } from "./residents.ts";
import type { Waiters } from "./waiters.ts";

/** What a seeker works with. */
export interface SeekerOptions {
  readonly owner: Pick<Ownership, "log" | "signal" | "logger">;
  readonly residents: Pick<Residents, "get" | "ensure">;
  readonly reach: Pick<Reach, "standing">;
  readonly waiters: Pick<Waiters, "look" | "unknown">;
  /** The partition is worked on, and the window of its takeover folded. */
  readonly isLive: () => boolean;
}

/** A run that has just been started is read within this time. */
const absentAfterMs = 100;
const lookAgainMs = 1000;
/** A loop may stand still for long, and nobody is to wait for others' runs all the while. */
const behindTries = 5;

/**
 * Looks for runs that somebody waits for and that are not in memory: such a run has ended long ago, stands still, is not known, or has not been read
 * yet. The last is so for every run of a burst, and each that is looked for is read from NATS by itself: so the loop has to be at the end of the log first.
 */
export class Seeker {
  readonly #options: SeekerOptions;

  constructor(options: SeekerOptions) {
    this.#options = options;
  }

  /** Looks for the run unless it comes within a moment. */
  soon(runId: RunId): void {
    this.#later(runId, absentAfterMs, 0);
  }

  /** Looks for it now. */
  seek(runId: RunId): void {
    void this.#seek(runId, 0);
  }

  #later(runId: RunId, ms: number, tries: number): void {
    setTimeout(() => void this.#seek(runId, tries), ms);
  }

  async #seek(runId: RunId, tries: number): Promise<void> {
    const { owner, residents, waiters } = this.#options;
    const { log, signal, logger } = owner;
    if (!this.#isAbsent(runId)) return;
    try {
      if (tries < behindTries && (await this.#isBehind())) return this.#later(runId, lookAgainMs, tries + 1);
      if (!this.#isAbsent(runId)) return;
      const run = await residents.ensure(runId);
      const first = run.phase === "orphan" ? await log.firstEvent(runId) : undefined;
      // It never started, or what is left of it is being deleted.
      if (run.phase === "orphan" && (first === undefined || !beginsRun(first))) waiters.unknown(runId);
      else waiters.look(run);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn("a run that is waited for can't be read now", { runId, error });
      this.#later(runId, lookAgainMs, tries);
    }
  }

  #isAbsent(runId: RunId): boolean {
    return this.#options.isLive() && isUnsure(this.#options.residents.get(runId));
  }

  /** Also where the log does not answer. */
  async #isBehind(): Promise<boolean> {
    return (await this.#options.reach.standing().catch(() => "behind" as const)) === "behind";
  }
}
