import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import { fromHex, parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { StartRerun } from "../engine/command.ts";
import { rerunStart } from "../engine/rerun.ts";
import { aboutRun } from "./aboutRun.ts";
import { chain } from "./chain.ts";
import { readWithoutPayloads } from "./inspect.ts";
import { keyPlace } from "./keyPlace.ts";
import type { Ownership } from "./ownership.ts";
import { untilRead } from "./reading.ts";
import type { ResidentRun } from "./residentRun.ts";
import { afterWrite, holdWhile } from "./settle.ts";
import type { Carry } from "./settle.ts";
import { hasStarted } from "./start.ts";

/**
 * Starts the run that goes on in place of an ended one. The key goes over to it once it is there, so that who starts with it again joins it: a key that
 * went before would let that one write the start, of a run that does all of it again. Where another run has the key by now, that keeps it. Carried out
 * again, by whomever, it leads to the same.
 */
export function startRerun(owner: Ownership, run: ResidentRun, command: StartRerun, { hold, atMs }: Carry): void {
  const { state, plan } = run;
  const started = state === undefined || plan === undefined ? undefined : rerunStart(plan, state, command, atMs);
  const runId = parseRunId(command.runId);
  const partition = runId === undefined ? undefined : partitionOf(owner.layouts, runId);
  if (started === undefined || runId === undefined || partition === undefined) {
    owner.logger.error("a run can't be started in place of another", { ...aboutRun(run), rerunId: runId });
    return;
  }
  const event = Event.encode({ kind: { $case: "runStarted", value: started } }).finish();
  const start = async (): Promise<"done" | "abandoned"> => {
    const written = await owner.logOf(partition).appendFirst(runId, event, { signal: owner.signal });
    const isThere = written.kind === "stored" || written.kind === "conflict";
    if (isThere && started.key !== "" && !(await moveKey(owner, run.runId, runId, started.workflow, started.key)))
      return "abandoned";
    return afterWrite(owner, run, hold, written, undefined);
  };
  holdWhile(owner, run, hold, chain(run, runId, start));
}

/**
 * False: the partition has been left. The run that the key goes over to may have been gone on for before the key came: who did that found it with a run
 * before, and left it there. So it is looked after that once the key is there, and the key goes on.
 */
async function moveKey(owner: Ownership, from: RunId, to: RunId, workflow: string, key: string): Promise<boolean> {
  const { bucket, hash } = keyPlace(workflow, key);
  let [before, after] = [from, to];
  while (!owner.signal.aborted) {
    const held = await untilRead(owner, "the record of a key", () => owner.keys.read(bucket, hash));
    const holder = held === undefined ? undefined : parseRunId(held.record.runId);
    if (held === undefined || (holder !== before && holder !== after)) return true;
    if (holder === before) {
      const record = { ...held.record, runId: fromHex(after) };
      const taken = await owner.keys.take(bucket, hash, record, held.revision, owner.signal);
      if (taken.kind === "abandoned") break;
      if (taken.kind === "held") continue;
    }
    const next = await untilRead(owner, "the run that has the key", () => inPlaceOf(owner, after));
    if (next === undefined) return true;
    [before, after] = [after, next];
  }
  return false;
}

/** The run that goes on in place of one, and has started: of those that were asked for only one ever does. */
async function inPlaceOf(owner: Ownership, runId: RunId): Promise<RunId | undefined> {
  for (const { fact } of (await readWithoutPayloads(owner, runId))?.records ?? []) {
    const kind = fact.kind === "event" ? fact.event.kind : undefined;
    const next = kind?.$case === "rerunRequested" ? parseRunId(kind.value.runId) : undefined;
    if (next !== undefined && (await hasStarted(owner, next))) return next;
  }
  return undefined;
}
