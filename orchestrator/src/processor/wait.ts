import type { Layouts } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { WaitReply, WaitRequest } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { onceAborted, unlessAborted } from "./abort.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import type { Partition } from "./partition.ts";
import type { Questions, WaitCall } from "./ports.ts";
import type { WaitedFor } from "./waiters.ts";

/** What waiting for runs needs. */
export interface WaitGround {
  readonly layouts: Layouts;
  readonly held: (partition: number) => Partition | undefined;
  readonly questions: Questions;
}

/** What a wait ends with. */
export type Waited =
  | Extract<NonNullable<WaitReply["kind"]>, { readonly $case: "ended" | "folded" | "yields" | "unknown" }>
  | "aborted";

const askAgainMs = 5000;
const pauseFirstMs = 50;
const pauseMaxMs = 1000;

/** The end of a run. */
export const theEnd: WaitedFor = { foldedSequence: 0, yields: false, yieldsFrom: 0 };

/** A message of the run's log being folded. */
export function theFold(foldedSequence: number): WaitedFor {
  return { ...theEnd, foldedSequence };
}

/** What the run yields from a number on, or its end when there is no more. */
export function theYields(yieldsFrom: number): WaitedFor {
  return { ...theEnd, yields: true, yieldsFrom };
}

/** Waits for something of a run, whoever owns its partition, and however often that changes. */
export async function waitFor(
  ground: WaitGround,
  runId: RunId,
  waitedFor: WaitedFor,
  signal: AbortSignal,
): Promise<Waited> {
  const partition = partitionOf(ground.layouts, runId);
  if (partition === undefined) return { $case: "unknown", value: {} };
  const request = { runId: fromHex(runId), ...waitedFor };
  const nextPauseMs = growingPause(pauseFirstMs, pauseMaxMs);
  while (!signal.aborted) {
    const local = ground.held(partition);
    const kind =
      local === undefined
        ? await askRemote(ground.questions, partition, request, signal)
        : await askLocal(local, request, signal);
    switch (kind?.$case) {
      case "ended":
      case "folded":
      case "yields":
      case "unknown":
        return kind;
      case "registered":
      case "notNow":
      case undefined:
        break;
    }
    await pause(nextPauseMs(), signal);
  }
  return "aborted";
}

type Kind = WaitReply["kind"];
type Request = Omit<WaitRequest, "notify">;

function askLocal(partition: Partition, request: Request, signal: AbortSignal): Promise<Kind> {
  return new Promise((resolve) => {
    const onAbort = (): void => {
      forget();
      resolve(undefined);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const forget = partition.wait(request, true, ({ kind }) => {
      signal.removeEventListener("abort", onAbort);
      resolve(kind);
    });
  });
}

/** The owner tells at once or registers; it is asked again after a reconnect and every 5 s, for it may have died. */
async function askRemote(
  questions: Questions,
  partition: number,
  request: Request,
  signal: AbortSignal,
): Promise<Kind> {
  const told = Promise.withResolvers<Kind>();
  using call: WaitCall = questions.wait(partition, request, ({ kind }) => told.resolve(kind));
  while (!signal.aborted) {
    const lost = new AbortController();
    const stops = [questions.onReconnect(() => lost.abort()), onceAborted(signal, () => lost.abort())];
    try {
      const answer = await unlessAborted(lost.signal, call.ask(), "lost" as const);
      if (answer === "lost") continue;
      if (answer?.kind?.$case !== "registered") return answer?.kind;
      const kind = await Promise.race([told.promise, pause(askAgainMs, lost.signal)]);
      if (kind !== undefined) return kind;
    } finally {
      for (const stop of stops) stop();
      lost.abort();
    }
  }
  return undefined;
}
