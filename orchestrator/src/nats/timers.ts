import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { Timer, Timers } from "../processor/ports.ts";
import { askJetStream } from "./jetstream.ts";
import { runsIn } from "./runsIn.ts";
import type { Writer } from "./write.ts";

/**
 * How long what has fired stays in the timer stream, from where the logs source it, when its run does not go sooner: so long may a log be out of reach while the timers are not, or everything be down
 * between a firing and its way to the log. Those that are due meanwhile wait for as long as it takes.
 */
const firedTtl = "168h";
const cancelTtl = "60s";
const empty = new Uint8Array();

/** Message schedules: armed by a message, cancelled by another's headers. A purge would race with the arming it follows. */
export function toTimers(nats: Nats, names: Names, writer: Writer): Timers {
  const stream = names.timersStream;
  const subjectOf = ({ partition, runId, name }: Timer): string =>
    typeof name === "number" ? names.timerSubject(partition, runId, name) : names.expirySubject(partition, runId, name);
  return {
    arm: (timer, dueMs, data, limits) => {
      const subject = subjectOf(timer);
      const target = names.dueSubject(timer.partition, timer.runId);
      const headers =
        `Nats-Schedule: @at ${new Date(Math.ceil(dueMs)).toISOString()}\r\n` +
        `Nats-Schedule-Target: ${target}\r\nNats-Schedule-TTL: ${firedTtl}\r\n`;
      const isOurs = (stored: { readonly subject: string }): boolean =>
        stored.subject === subject || stored.subject === target;
      const id = `${timer.runId}/t${timer.name}`;
      return writer.write(
        { stream, subject, data, headers, id, onConflict: { kind: "last", subject }, isOurs },
        limits,
      );
    },
    cancel: (timer, limits) => {
      const subject = names.cancelSubject(timer.partition);
      const headers = `Nats-Scheduler: ${subjectOf(timer)}\r\nNats-Schedule-Next: purge\r\nNats-TTL: ${cancelTtl}\r\n`;
      const onConflict = { kind: "last", subject } as const;
      return writer.write(
        { stream, subject, data: empty, headers, id: undefined, onConflict, isOurs: () => false },
        limits,
      );
    },
    remove: async (partition, runId) => {
      const purge = (filter: string) => askJetStream(nats.connection, `STREAM.PURGE.${stream}`, { filter });
      await Promise.all([purge(names.timersOfRun(partition, runId)), purge(names.dueSubject(partition, runId))]);
    },
    runs: (partition, subjectsMax) => runsIn(nats, stream, names.timersOfAll(partition), subjectsMax),
  };
}
