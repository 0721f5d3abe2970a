import type { Run, Step } from "../api/run.ts";
import { durationText } from "../parts/clock.ts";

/** What the run does or waits for now, from what is known of its steps. */
export function whyText(run: Run, now: number): string {
  const [incident] = run.incidents;
  if (incident !== undefined) {
    const what = incident.error === undefined ? "" : `: ${incident.error.message} (${incident.error.code})`;
    return `${incident.compensation ? "The compensation of " : ""}${incident.step} needs a person after ${incident.attempts} attempts${what}`;
  }
  if (run.held) return "It is paused: nothing new begins until it is resumed.";
  const [approval] = run.approvals;
  if (approval !== undefined) return `${approval.step} waits for an approval: ${approval.title}`;
  const open = run.steps.filter(({ state }) => ["RUNNING", "BACKING_OFF", "WAITING", "QUEUED"].includes(state));
  const leaf =
    open.findLast((step) => !["switch", "parallel", "for_each", "loop", "try"].includes(step.kind)) ?? open.at(-1);
  if (leaf === undefined) return run.state === "COMPENSATING" ? "What was done is being undone." : "It goes on.";
  const others = open.filter((step) => step !== leaf && step.kind === leaf.kind).length;
  return `${sentence(leaf, now)}${others === 0 ? "" : `, and ${others} more`}.`;
}

function sentence(step: Step, now: number): string {
  const name = `${step.compensation ? "the compensation of " : ""}${step.path}`;
  const since = step.startedAt === undefined ? "" : ` for ${durationText(now - step.startedAt)}`;
  const until =
    step.nextAt === undefined ? "" : `, ${step.nextAt > now ? `${durationText(step.nextAt - now)} to go` : "due now"}`;
  switch (step.state) {
    case "BACKING_OFF": {
      const error = step.lastError === undefined ? "" : ` with ${step.lastError.code}: ${step.lastError.message}`;
      return `Attempt ${step.attempt} of ${name} failed${error}; the next try${until === "" ? " comes by itself" : ` is due${until.replace(",", " in").replace(" to go", "").replace(" in due now", " now")}`}`;
    }
    case "QUEUED":
      return `${name} waits for the lock ${step.lock}${since}`;
    case "WAITING":
      return `${name} waits${step.kind === "signal" ? " for a signal" : ""}${since}${until}`;
    case "RUNNING":
      if (step.noSidecar) return `${name} waits${since}: no sidecar offers ${step.method} now`;
      if (step.drifted)
        return `${name} waits${since}: drift, ${step.method} as it runs does not fit the call; it goes on once a service does`;
      if (step.broken)
        return `${name} waits${since}: too many calls of ${step.method} have failed, and sidecars hold them back`;
      return `${name} calls ${step.method === "" ? "out" : step.method}${since}`;
    case "COMPLETED":
    case "FAILED":
    case "SKIPPED":
    case "PAUSED":
    case "CANCELLED":
      return name;
  }
}
