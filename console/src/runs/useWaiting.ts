import { useEffect, useState } from "react";
import { call } from "../api/call.ts";
import { list, text } from "../api/json.ts";
import { hasEnded } from "../api/run.ts";
import type { Listed } from "./rows.ts";

/** What a live run waits for: the sentence, and the step that it is about. */
export interface WaitingText {
  readonly sentence: string;
  readonly step: string;
}

/** Who scrolls is not asked for; what changes in this time is asked for once. */
const settleMs = 300;
const askedMax = 80;

/** What the live ones of the rows in view wait for, by their ids. Asked anew when the index has changed. */
export function useWaiting(inView: readonly Listed[], revision: string): ReadonlyMap<string, WaitingText> {
  const [waiting, setWaiting] = useState<ReadonlyMap<string, WaitingText>>(new Map());
  const asked = inView
    .filter(({ run }) => !hasEnded(run))
    .map(({ run }) => run.runId)
    .slice(0, askedMax)
    .join();
  useEffect(() => {
    if (asked === "") return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      call("sidestep.v1.Runs/ExplainRuns", { runIds: asked.split(",") }, { signal: stop.signal })
        .then((answer) =>
          setWaiting(
            new Map(
              list(answer, "runs", (one) => [
                text(one, "runId"),
                { sentence: text(one, "sentence"), step: text(one, "step") },
              ]),
            ),
          ),
        )
        // The rows stand without it.
        .catch(() => undefined);
    }, settleMs);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [asked, revision]);
  return waiting;
}
