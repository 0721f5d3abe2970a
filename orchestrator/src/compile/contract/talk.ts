import type { Plan } from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Contract } from "./contract.ts";
import { differencesOfMessages } from "./differences.ts";
import type { Difference } from "./differences.ts";

/** A version of a workflow, with the messages that it names. */
export interface TalkingVersion {
  readonly plan: Pick<Plan, "signals" | "queries">;
  readonly contract: Contract;
}

/** What those who signal runs and ask them by one version's contract would find otherwise at another's. */
export function differencesOfTalk(known: TalkingVersion, there: TalkingVersion): readonly Difference[] {
  const signals = known.plan.signals.flatMap((signal) => {
    const name = `the signal ${signal.name}`;
    const now = there.plan.signals.find((one) => one.name === signal.name);
    if (now === undefined) return [whole(`${name} is gone`)];
    if (signal.method !== "" && now.method !== signal.method)
      return [whole(`${signal.method} signals ${signal.name} no more`)];
    return named(name, compared("request", known, signal.type, there, now.type));
  });
  const queries = known.plan.queries.flatMap((query) => {
    const name = `the query ${query.method}`;
    const now = there.plan.queries.find((one) => one.method === query.method);
    if (now === undefined) return [whole(`${name} is gone`)];
    return [
      ...named(`${name}, request`, compared("request", known, query.requestType, there, now.requestType)),
      ...named(`${name}, response`, compared("response", there, now.responseType, known, query.responseType)),
    ];
  });
  return [...signals, ...queries];
}

/** What one version writes, as the other reads it. */
function compared(
  part: "request" | "response",
  writer: TalkingVersion,
  written: string,
  reader: TalkingVersion,
  read: string,
): readonly Difference[] {
  const by = { contract: writer.contract, message: written };
  return differencesOfMessages(part, by, { contract: reader.contract, message: read });
}

function whole(text: string): Difference {
  return { part: "method", path: "", text };
}

function named(name: string, differences: readonly Difference[]): readonly Difference[] {
  return differences.map(({ path, text }) => ({ part: "method", path, text: `${name}: ${text}` }));
}
