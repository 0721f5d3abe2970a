import type { Cron } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Schedule } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { noCounts } from "../engine/schedule/noteFired.ts";
import { activeTriggers } from "./activeTriggers.ts";
import type { Definitions } from "./definitions.ts";
import { keepUp } from "./keepUp.ts";
import { partitionOfSchedule } from "./scheduleStore.ts";
import type { ScheduleStore } from "./scheduleStore.ts";

export interface ContractSchedulesOptions {
  readonly store: ScheduleStore;
  readonly definitions: Pick<Definitions, "list" | "active" | "revision" | "onChange">;
  /** Partitions that are ours now. */
  readonly owned: () => readonly number[];
  readonly partitions: number;
  readonly now: () => number;
  readonly logger: Log;
}

/** The schedule that a trigger of a contract is. */
export function contractScheduleId(workflow: string, trigger: string): string {
  return `${workflow}/${trigger}`;
}

/**
 * Sees to it that each cron trigger of a workflow's active version is a schedule, as the contract has it now, and that what is no such trigger any
 * more starts nothing. Whoever owns a schedule's partition does it; two at once do no harm.
 */
export function openContractSchedules(options: ContractSchedulesOptions): Disposable {
  const { store, definitions, owned, logger } = options;
  const stateNow = (): string => `${definitions.revision()} ${owned().join()}`;
  let seen = "";
  return keepUp({
    definitions,
    logger,
    failing: "schedules of contracts can't be kept up now",
    isDue: () => store.isComplete() && stateNow() !== seen && owned().length > 0,
    reconcile: async () => {
      const state = stateNow();
      // Whatever was refused is looked at again.
      if (await reconcile(options)) seen = state;
    },
  });
}

/** True when all stands as it should. */
async function reconcile(options: ContractSchedulesOptions): Promise<boolean> {
  const { store, definitions, owned, partitions, now, logger } = options;
  const revision = definitions.revision();
  const wanted = await wantedOf(definitions);
  const ours = new Set(owned());
  const isOurs = (id: string): boolean => ours.has(partitionOfSchedule(id, partitions));
  let isDone = true;
  const put = async (id: string, change: (stands: Schedule | undefined) => Schedule | undefined): Promise<void> => {
    const read = await store.read(id);
    const next = change(read.schedule);
    if (next === undefined || next === read.schedule) return;
    if ((await store.write(next, read.revision)).kind !== "held") isDone = false;
    else logger.info(next.retired ? "a schedule is retired" : "a schedule follows its contract", { schedule: id });
  };
  for (const [id, trigger] of wanted) {
    const heard = store.heard(id)?.schedule;
    if (isOurs(id) && (heard === undefined || following(heard, trigger, revision, now()) !== heard))
      await put(id, (stands) => following(stands, trigger, revision, now()));
  }
  for (const { schedule } of store.all()) {
    if (!wanted.has(schedule.id) && isOurs(schedule.id) && retired(schedule, revision) !== schedule)
      await put(schedule.id, (stands) => (stands === undefined ? undefined : retired(stands, revision)));
  }
  return isDone;
}

interface WantedTrigger {
  readonly id: string;
  readonly workflow: string;
  readonly trigger: string;
  readonly cron: Cron;
}

async function wantedOf(
  definitions: ContractSchedulesOptions["definitions"],
): Promise<ReadonlyMap<string, WantedTrigger>> {
  const wanted = new Map<string, WantedTrigger>();
  for (const { workflow, trigger } of await activeTriggers(definitions)) {
    if (trigger.kind?.$case !== "cron") continue;
    const id = contractScheduleId(workflow, trigger.name);
    wanted.set(id, { id, workflow, trigger: trigger.name, cron: trigger.kind.value });
  }
  return wanted;
}

/**
 * The record as the contract has it: the very one when nothing is to be changed. New times count from now on; what was begun is finished. Somebody
 * who knows a newer contract is left alone.
 */
export function following(
  stands: Schedule | undefined,
  { id, workflow, trigger, cron }: WantedTrigger,
  definitions: number,
  nowMs: number,
): Schedule {
  if (stands === undefined)
    return { ...blank, id, workflow, trigger, cron, definitions, createdMs: nowMs, cursorMs: nowMs };
  const isSame = !stands.retired && stands.cron !== undefined && sameCron(stands.cron, cron);
  if (stands.definitions > definitions || isSame) return stands;
  const cursorMs = Math.max(stands.cursorMs, nowMs);
  return { ...stands, cron, definitions, retired: false, cursorMs, bufferedMs: undefined, backfills: [] };
}

/** The record of a trigger that is gone: it stays, with what came of it. */
export function retired(stands: Schedule, definitions: number): Schedule {
  if (stands.trigger === "" || stands.retired || stands.definitions > definitions) return stands;
  return { ...stands, retired: true, definitions, bufferedMs: undefined, backfills: [] };
}

/** A schedule that nothing has come of. */
export const blank: Schedule = {
  id: "",
  workflow: "",
  cron: undefined,
  trigger: "",
  input: new Uint8Array(),
  actor: "",
  reason: "",
  createdMs: 0,
  definitions: 0,
  retired: false,
  paused: undefined,
  cursorMs: 0,
  firing: undefined,
  bufferedMs: undefined,
  currentRunId: "",
  fired: [],
  backfills: [],
  counts: noCounts,
};

/** Whether two say the same times, and the same of their starts. */
export function sameCron(a: Cron, b: Cron): boolean {
  return (
    a.line === b.line &&
    a.everyMs === b.everyMs &&
    a.phaseMs === b.phaseMs &&
    a.timeZone === b.timeZone &&
    a.overlap === b.overlap &&
    a.catchUpMs === b.catchUpMs &&
    a.jitterMs === b.jitterMs
  );
}
