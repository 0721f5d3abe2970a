import { isSampled, spansOfTurn } from "../projection/spans.ts";
import { sha256 } from "./credentials.ts";
import type { TurnObserver } from "./ports.ts";
import type { SpanExport } from "./spanExport.ts";

/** Projects each turn of a sampled run into spans and hands them to the export. A run that is not sampled costs one look at its start. */
export function toSpanObserver(spanExport: SpanExport): TurnObserver {
  return {
    opened: (partition, position) => spanExport.opened(partition, position),
    closed: (partition) => spanExport.closed(partition),
    tracedUpTo: (partition, checkpoint) => spanExport.tracedUpTo(partition, checkpoint),
    turn: ({ partition, state }, { sequence }, { transitions }) => {
      if (transitions.length === 0 || !isSampled(state.started)) return;
      spanExport.add(partition, sequence, spansOfTurn(state, transitions, sha256));
    },
  };
}

/** Nobody watches: the cursor goes with the checkpoint, so that an export that is switched on later begins there. */
export const unobserved: TurnObserver = {
  opened: () => undefined,
  closed: () => undefined,
  tracedUpTo: (_, checkpoint) => checkpoint,
  turn: () => undefined,
};
