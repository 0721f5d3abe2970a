import type { RunEnded, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { isLockId } from "../../../proto/wire/lockId.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { parseLogSubject } from "../../../proto/wire/subjects.ts";
import { eventIn } from "./eventIn.ts";
import type { LogMessage } from "./ports.ts";
import { startedBy } from "./start.ts";

/** What a sweep over a log knows of one run, or lock. */
export interface Found {
  /** Nothing of it lies before. */
  first: number;
  /** Position of its last message that was met. */
  last: number;
  /** Its start, where that was met. */
  start: Pick<RunStarted, "workflow" | "key"> | undefined;
  /** It has a start, met or not; or an end that is for another sweep. */
  isBegun: boolean;
  /** Position of its RunEnded, when this sweep deletes it; undefined: it is kept. */
  endedAt: number | undefined;
  /** What it had outside of the log is gone. */
  isCleared: boolean;
  /** The log's head could not be cut for it once. */
  isLong: boolean;
}

/** One that is to be deleted. */
export interface Ended extends Found {
  endedAt: number;
}

/** What a sweep has met in a log and is not deleted, in the order in which it was met. */
export interface Findings {
  readonly runs: Map<RunId, Found>;
  /** Of the last owner's record that was met; 0: there was none. */
  readonly ownerAt: () => number;
  /** Of the first message that is of no run: a later version may have written it. Infinity: there was none. */
  readonly unknownAt: () => number;
  /** Takes the next message; says of whom it is, if of anybody. */
  note(message: LogMessage): RunId | undefined;
  /** Who of those that are kept has the first message. */
  firstKept(): readonly [RunId, Found] | undefined;
  /** Those to be deleted. */
  ended(): readonly (readonly [RunId, Ended])[];
  clear(): void;
}

/** Of whom a message of a log is; nobody: of a run whose id is none, which is set aside; unknown: of nothing that this version knows. */
export function whoseIs(subject: string): RunId | "owner" | "nobody" | "unknown" {
  const place = parseLogSubject(subject);
  if (place !== undefined) return parseRunId(place.runId) ?? "nobody";
  return subject.endsWith("._owner") ? "owner" : "unknown";
}

/** Nothing has been met. `takes`: which ended runs are to be deleted. */
export function openFindings(takes: (end: RunEnded) => boolean): Findings {
  const runs = new Map<RunId, Found>();
  let ownerAt = 0;
  let unknownAt = Infinity;
  return {
    runs,
    ownerAt: () => ownerAt,
    unknownAt: () => unknownAt,
    note: (message) => {
      const { sequence, subject } = message;
      const runId = whoseIs(subject);
      if (runId === "owner") ownerAt = sequence;
      if (runId === "unknown") unknownAt = Math.min(unknownAt, sequence);
      if (runId === "owner" || runId === "unknown" || runId === "nobody") return undefined;
      const found = runs.get(runId) ?? toFound(sequence);
      if (found.last === 0) runs.set(runId, found);
      found.last = sequence;
      if (subject.endsWith(".e") && !isLockId(runId)) noteEvent(found, message, takes);
      return runId;
    },
    firstKept: () => {
      let first: readonly [RunId, Found] | undefined;
      for (const entry of runs) {
        if (entry[1].endedAt === undefined && entry[1].first < (first?.[1].first ?? Infinity)) first = entry;
      }
      return first;
    },
    ended: () => [...runs].filter(isEnded),
    clear: () => {
      runs.clear();
      ownerAt = 0;
      unknownAt = Infinity;
    },
  };
}

function noteEvent(found: Found, message: LogMessage, takes: (end: RunEnded) => boolean): void {
  const kind = eventIn(message);
  if (kind?.$case === "runEnded") {
    if (takes(kind.value)) found.endedAt ??= message.sequence;
    else found.isBegun = true;
  } else if (found.start === undefined && (kind?.$case === "runStarted" || kind?.$case === "snapshot")) {
    const started = startedBy(message);
    if (started === undefined) return;
    found.start = { workflow: started.workflow, key: started.key };
    found.isBegun = true;
  }
}

function toFound(first: number): Found {
  return {
    first,
    last: 0,
    start: undefined,
    isBegun: false,
    endedAt: undefined,
    isCleared: false,
    isLong: false,
  };
}

function isEnded(entry: [RunId, Found]): entry is [RunId, Ended] {
  return entry[1].endedAt !== undefined;
}
