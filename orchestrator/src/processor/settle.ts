import { attemptKey } from "../../../proto/wire/attempt.ts";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { CommandRejected } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { aboutRun } from "./aboutRun.ts";
import type { Ownership } from "./ownership.ts";
import type { Written } from "./ports.ts";
import type { ResidentRun } from "./residentRun.ts";

/** How a command is carried out. */
export interface Carry {
  /** Sequence whose turn is not done before the command is durable. */
  readonly hold: number;
  /** Log time of the event that asked for it. */
  readonly atMs: number;
  /** Somebody may have carried it out already. */
  readonly recheck: boolean;
}

/** A command that is not durable by then, while its stream answers others, becomes an event. */
export const deferAfterMs = 30_000;

/** What a command is called in the events that tell of its failure. */
export type FailedCommand = NonNullable<CommandRejected["command"]>;

/** The turn at `hold` is not done until one more thing is released. */
export function keep(owner: Ownership, run: ResidentRun, hold: number): void {
  run.unacked++;
  owner.unfinished.hold(hold);
}

/** It is durable. */
export function release(owner: Ownership, run: ResidentRun, hold: number): void {
  run.unacked--;
  owner.unfinished.release(hold);
  owner.roomAgain();
}

/** Holds the turn until the write is known; what can't be durable, or not for long, becomes an event. */
export function settle(
  owner: Ownership,
  run: ResidentRun,
  hold: number,
  written: Promise<Written>,
  command: FailedCommand | undefined,
): void {
  keep(owner, run, hold);
  // What holdWhile does, with a promise less: it is so for every task.
  written
    .then((result) => {
      if (afterWrite(owner, run, hold, result, command) === "done") release(owner, run, hold);
    })
    .catch((error: unknown) => failUnlessLeft(owner, error));
}

/** Holds the turn while something is done in several writes; `abandoned`: the partition has been left, and whoever owns it next does it again. */
export function holdWhile(owner: Ownership, run: ResidentRun, hold: number, done: Promise<"done" | "abandoned">): void {
  keep(owner, run, hold);
  done
    .then((end) => {
      if (end === "done") release(owner, run, hold);
    })
    .catch((error: unknown) => failUnlessLeft(owner, error));
}

function failUnlessLeft({ signal, fail }: Ownership, error: unknown): void {
  if (!signal.aborted) fail(error);
}

/** What became of a write, told by an event where it failed; that event is held for by itself. */
export function afterWrite(
  owner: Ownership,
  run: ResidentRun,
  hold: number,
  result: Written,
  command: FailedCommand | undefined,
): "done" | "abandoned" {
  switch (result.kind) {
    case "stored":
    case "conflict":
      return "done";
    case "abandoned":
      return "abandoned";
    case "rejected":
    case "deferred":
      tellFailure(owner, run, hold, result, command);
      return "done";
  }
}

/** Says by an event of the run that a command is not durable, and why. */
export function tellFailure(
  owner: Ownership,
  run: ResidentRun,
  hold: number,
  result: Extract<Written, { readonly reason: string }>,
  command: FailedCommand | undefined,
): void {
  const fields = { ...aboutRun(run, placeOf(command)), command: command?.$case, reason: result.reason };
  if (result.kind === "rejected") owner.logger.error("a command can never become durable", fields);
  else owner.logger.warn("a command is not durable yet; the run will ask for it again", fields);
  if (command !== undefined) appendFailure(owner, run, hold, result, command);
}

/** The step that a command is about, and the attempt of a task. */
function placeOf(command: FailedCommand | undefined): { readonly step?: string; readonly attempt?: number } {
  switch (command?.$case) {
    case "task":
    case "emit":
    case "child":
    case "lock":
      return command.value;
    case "timer":
    case undefined:
      return {};
  }
}

/** The event alone, for what is no trouble. */
export function appendFailure(
  owner: Ownership,
  run: ResidentRun,
  hold: number,
  {
    kind,
    reason,
    held = false,
    drift = false,
  }: Extract<Written, { readonly reason: string }> & { readonly held?: boolean; readonly drift?: boolean },
  command: FailedCommand,
): void {
  const value = { command, reason };
  const event = Event.encode(
    kind === "rejected"
      ? { kind: { $case: "commandRejected", value } }
      : { kind: { $case: "commandDeferred", value: { ...value, held, drift } } },
  ).finish();
  const id = `${nameOf(run, command)}/${kind}/${hold}`;
  settle(owner, run, hold, owner.log.append(run.runId, id, event, { signal: owner.signal }), undefined);
}

function nameOf({ runId }: ResidentRun, command: FailedCommand): string {
  switch (command.$case) {
    case "task":
      return attemptKey(runId, command.value);
    case "timer":
      return `${runId}/t${command.value}`;
    case "emit":
    case "child":
    case "lock":
      return `${runId}/${command.value.step}/g${command.value.generation}/${command.$case}`;
  }
}
