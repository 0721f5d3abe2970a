import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { askAgain, JetStreamFailure } from "./jetstream.ts";

/** More does not fit in one answer of the server. */
const pageMax = 100_000;

/**
 * The runs that a stream has anything of, by the fourth token of its subjects under `filter`, as its leader says. Undefined: it has more than
 * `subjectsMax` subjects in all, and nobody should read a list that long. Throws JetStreamFailure.
 */
export async function runsIn(
  { connection }: Nats,
  stream: string,
  filter: string,
  subjectsMax: number,
): Promise<ReadonlySet<string> | undefined> {
  const verb = `STREAM.INFO.${stream}`;
  const { state } = await askAgain(connection, verb, undefined);
  if (state === undefined) throw new JetStreamFailure(`NATS answered ${verb} without a state`, 0, true);
  const { num_subjects: subjects = 0 } = state;
  if (subjects > Math.min(subjectsMax, pageMax / 2)) return undefined;
  if (subjects === 0) return new Set();
  const answer = await askAgain(connection, verb, { subjects_filter: filter });
  const found = Object.keys(answer.state?.subjects ?? {});
  return new Set(found.map((subject) => subject.split(".")[3] ?? ""));
}
