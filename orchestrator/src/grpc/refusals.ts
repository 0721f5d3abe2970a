import type { AuditEntry } from "../../../proto/gen/sidestep/v1/audit.ts";

/** Keeps entries of calls that a role may not do: of each actor a bounded number an hour, so that nobody's refusals push out what was done. */
export interface Refusals {
  /** Resolves when the entry is written, or is counted in one that is. Never rejects. */
  note(entry: AuditEntry): Promise<void>;
}

const hourMs = 3_600_000;
/** Entries of an actor in an hour: one for each method and target, the last one for all others. */
export const refusalsMax = 10;
/** How long a count is ahead of what is written: each time it is, the entry takes a new place in the stream. */
export const countWithinMs = 10_000;
/** Those who were refused the longest ago begin anew when there are more. */
const actorsMax = 10_000;

interface Told {
  entry: AuditEntry;
  /** It will be written. */
  isDue: boolean;
}

interface Hour {
  readonly beganMs: number;
  readonly told: Map<string, Told>;
}

/** Counts refusals alike into the first one's entry, which is written at once. `put` never rejects. */
export function newRefusals(put: (entry: AuditEntry) => Promise<unknown>, now: () => number): Refusals {
  const hours = new Map<string, Hour>();
  const hourOf = (actor: string): Hour => {
    const going = hours.get(actor);
    hours.delete(actor);
    const hour = going !== undefined && now() - going.beganMs < hourMs ? going : { beganMs: now(), told: new Map() };
    hours.set(actor, hour);
    for (const oldest of hours.keys()) {
      if (hours.size <= actorsMax) break;
      hours.delete(oldest);
    }
    return hour;
  };
  const writeSoon = (told: Told): void => {
    if (told.isDue) return;
    told.isDue = true;
    const timer = setTimeout(() => {
      told.isDue = false;
      void put(told.entry);
    }, countWithinMs);
    timer.unref();
  };
  return {
    note: async (entry) => {
      const { told } = hourOf(entry.actor);
      const own = `${entry.method} ${entry.target}`;
      const key = told.has(own) || told.size < refusalsMax - 1 ? own : "*";
      const known = told.get(key);
      if (known === undefined) {
        const first = key === "*" ? { ...entry, method: "*", target: "", reason: "", message: furtherText } : entry;
        told.set(key, { entry: { ...first, times: 1 }, isDue: false });
        await put({ ...first, times: 1 });
      } else {
        known.entry = { ...known.entry, times: known.entry.times + 1, lastAt: entry.at };
        writeSoon(known);
      }
    },
  };
}

const furtherText = "further refusals of this actor within the hour, whatever they were about";
