import { toMs } from "../../orchestrator/src/engine/time.ts";
import { askJetStream } from "../../orchestrator/src/nats/jetstream.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { connectTo } from "../support/connectTo.ts";
import type { OrderRecord } from "./verify.ts";

/** Deletion may be late by as much, once nobody dies any more: the next owner begins 15 s later, knows 20 s later what is due, and waits for more of it. */
export const lateMs = 120_000;

/** What is stored under the ids of runs, and how many keys there are. */
export interface Stored {
  readonly runIds: ReadonlySet<string>;
  readonly keys: number;
}

/** Everything about deletion that must hold and does not, one sentence each: none too soon, none too late, and nothing of a run remains. */
export function findRetentionBreaches(
  orders: readonly OrderRecord[],
  stored: Stored,
  retentionMs: number,
): readonly string[] {
  const breaches = orders.flatMap(({ orderId, run, lookedMs, isDeleted }) => {
    const at = `order ${orderId}, run ${run.runId}`;
    const keptMs = lookedMs - (run.endedAt === undefined ? 0 : toMs(run.endedAt));
    if (isDeleted && keptMs < retentionMs) return [`${at}: deleted within ${keptMs} ms of its end`];
    if (!isDeleted && keptMs > retentionMs + lateMs) return [`${at}: still there ${keptMs} ms after its end`];
    // What lies behind the part of the log that was cut goes with the next one.
    const isLeft = isDeleted && keptMs > retentionMs + lateMs && stored.runIds.has(run.runId);
    return isLeft ? [`${at}: deleted, and something of it is left`] : [];
  });
  const kept = orders.filter((it) => !it.isDeleted).length;
  return stored.keys > kept ? [...breaches, `${stored.keys} keys of ${kept} runs`] : breaches;
}

/** More subjects than one answer of a nats-server has. */
const subjectsMax = 100_000;

/** Asks the server at this address for logs, payloads, timers that have not fired, and keys. */
export async function readStored(url: string, partitions = 4): Promise<Stored> {
  await using nats = await connectTo(url, "judge");
  const names = toNames();
  const subjectsOf = async (stream: string, filter: string): Promise<readonly string[]> => {
    const { state } = await askJetStream(nats.connection, `STREAM.INFO.${stream}`, { subjects_filter: filter });
    const subjects = Object.keys(state?.subjects ?? {});
    if (subjects.length >= subjectsMax) throw new Error(`${stream} has ${subjects.length} subjects: too many to judge`);
    return subjects;
  };
  const ofRuns: (readonly string[])[] = [];
  for (let partition = 0; partition < partitions; partition++)
    ofRuns.push(
      await subjectsOf(names.logStream(partition), names.logSubjects(partition)),
      await subjectsOf(names.timersStream, names.timersOfRun(partition, "*")),
    );
  ofRuns.push(await subjectsOf(names.payloadsStream, names.payloadSubjects()));
  const tokens = ofRuns.flat().flatMap((subject) => subject.split("."));
  const keys = await subjectsOf(`KV_${names.keysBucket}`, ">");
  return { runIds: new Set(tokens), keys: keys.length };
}
