import { attemptKey } from "../../../proto/wire/attempt.ts";
import { AskReply_Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Ask } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { parseRunId, timeOf } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { attemptStanding, claimOf } from "../engine/standing.ts";
import { attemptName } from "../engine/state.ts";
import { tellDrift } from "./execute.ts";
import type { Ownership } from "./ownership.ts";
import type { Reach } from "./reach.ts";
import type { Residents } from "./residents.ts";
import type { ResidentRun } from "./residentRun.ts";

/**
 * How long a sidecar that was told `open` is believed to run the attempt: longer than until it asks again, which it does each 3 to 4 s, and less
 * than the task takes to be delivered again.
 */
const grantMs = 5500;
const foldTimeoutMs = 1500;
const grantsMax = 64;

/**
 * May this attempt run? Only an owner with a live lease says, after it has read from the log's leader where the log ends and that it is still the
 * owner, and has folded up to there. Everything unsure is "not now"; unknown is never "closed".
 */
export async function verdictOn(
  owner: Ownership,
  residents: Residents,
  ask: Ask,
  reach: Reach,
): Promise<AskReply_Verdict> {
  owner.counts.asks++;
  const runId = parseRunId(ask.runId);
  if (runId === undefined || ask.attempt === undefined || !owner.isLive()) return AskReply_Verdict.NOT_NOW;
  const key = attemptKey(runId, ask.attempt);
  if (!owner.credentials.isAuthentic(key, ask.token)) return AskReply_Verdict.NOT_NOW;
  const standing = await reach.standing();
  if (standing === "overtaken") return AskReply_Verdict.NOT_NOW;
  // Once it is loaded and nothing waits, it has folded all that was delivered.
  const known = standing === "up to date" ? await residents.ensure(runId) : undefined;
  const run = known === undefined || known.phase === "orphan" ? await lookedUp(owner, residents, runId, reach) : known;
  if (run === "gone") return isDeleted(owner, runId) ? AskReply_Verdict.CLOSED : AskReply_Verdict.NOT_NOW;
  // Only what has ended is deleted.
  if (run?.isDeleted === true) return AskReply_Verdict.CLOSED;
  if (run?.state === undefined || run.phase !== "ready" || run.state.phase === "unstarted")
    return AskReply_Verdict.NOT_NOW;
  if (!owner.isLive() || owner.signal.aborted) return AskReply_Verdict.NOT_NOW;
  switch (attemptStanding(run.state, ask.attempt)) {
    case "closed":
      return AskReply_Verdict.CLOSED;
    case "claimed": {
      const claim = claimOf(run.state, ask.attempt);
      const isTheirs = claim?.sidecarId === ask.sidecarId && claim.delivery === ask.delivery;
      return isTheirs && (ask.claimed || ask.running) ? AskReply_Verdict.OPEN : AskReply_Verdict.DOUBT;
    }
    case "open":
      // Its claim should have been folded by now: it did not count.
      if (ask.claimed) return AskReply_Verdict.NOT_NOW;
      if (!ask.running && ask.contract !== "") {
        const misfit = misfitOf(owner, run, ask.attempt, ask.contract);
        if (misfit !== undefined) return misfit;
      }
      return grant(run, key, ask.sidecarId, owner.now());
  }
}

/**
 * Why the service that a sidecar stands beside must not be called; undefined: it fits, or nobody can tell. Where no other one fits either, the step
 * says by an event why it waits: its task stays where it is.
 */
function misfitOf(
  owner: Ownership,
  run: ResidentRun,
  attempt: AttemptId,
  contract: string,
): AskReply_Verdict | undefined {
  const live = run.state?.attempts.get(attemptName(attempt));
  if (live === undefined || run.plan === undefined) return undefined;
  const { method } = live.publish;
  switch (owner.drift.standing(run.plan, method, attempt.step, contract)) {
    case "fits":
      return undefined;
    case "unread":
      return AskReply_Verdict.NOT_NOW;
    case "misfits": {
      const reason = live.deferred === undefined ? owner.drift.reasonFor(run.plan, method, attempt.step) : undefined;
      if (reason !== undefined) tellDrift(owner, run, attempt, reason);
      return AskReply_Verdict.MISFIT;
    }
  }
}

/** Nothing is left of a run whose attempt this is, and it began long enough ago to have been deleted: nobody would hear of its outcome. */
function isDeleted({ retentions, clock }: Ownership, runId: RunId): boolean {
  const shortestMs = retentions.shortestMs();
  return shortestMs > 0 && timeOf(runId) < clock.now() - shortestMs;
}

function grant(run: ResidentRun, key: string, sidecarId: string, atMs: number): AskReply_Verdict {
  const grants = (run.grants ??= new Map());
  const last = grants.get(key);
  if (last !== undefined && last.sidecarId !== sidecarId && atMs - last.atMs < grantMs) return AskReply_Verdict.BUSY;
  grants.delete(key);
  grants.set(key, { sidecarId, atMs });
  for (const oldest of grants.keys()) {
    if (grants.size <= grantsMax) break;
    grants.delete(oldest);
  }
  return AskReply_Verdict.OPEN;
}

/** The run, folded up to its own end as the log's leader has it, where more than that is not read yet; "gone": the log has nothing of it. */
async function lookedUp(
  owner: Ownership,
  residents: Residents,
  runId: RunId,
  { position }: Reach,
): Promise<ResidentRun | "gone" | undefined> {
  const { event, outcome, ownerEpoch } = await owner.log.positions(runId);
  if (ownerEpoch !== owner.epoch) return undefined;
  return event + outcome === 0 ? "gone" : foldedUpTo(residents, position, runId, Math.max(event, outcome));
}

async function foldedUpTo(
  residents: Residents,
  position: () => number,
  runId: RunId,
  sequence: number,
): Promise<ResidentRun | undefined> {
  // A run that is loaded before the loop has read so far would have its latest records in the mailbox only later.
  const run = await residents.ensure(runId);
  if (run.phase === "orphan" && position() <= sequence) return undefined;
  if (run.seen >= sequence) return run;
  const folded = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => folded.resolve(false), foldTimeoutMs);
  (run.watchers ??= []).push({ sequence, resolve: () => folded.resolve(true) });
  const isFolded = await folded.promise;
  clearTimeout(timer);
  // Who waits is let go as well when the partition is left.
  return isFolded && run.seen >= sequence ? run : undefined;
}
