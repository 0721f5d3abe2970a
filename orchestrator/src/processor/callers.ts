import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { errorText } from "../../../runtime/src/log.ts";
import { unlessAborted } from "./abort.ts";
import type { Front, RunRequest, Unavailable, Unknown } from "./front.ts";
import { inspectRun, readHistory, readRecords } from "./inspect.ts";
import type { InspectGround } from "./inspect.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import { isVoid, toStart } from "./start.ts";
import type { StartGround } from "./start.ts";
import { waitFor } from "./wait.ts";
import type { WaitGround } from "./wait.ts";

/** What answering callers needs. */
export type CallersGround = StartGround & WaitGround & InspectGround;

/** What callers may ask of runs, whoever owns their partition. */
export function toFront(ground: CallersGround): Front {
  return {
    start: toStart(ground),
    wait: async (runId, signal) => {
      const waited = await waitFor(ground, runId, 0, signal);
      if (waited === "aborted") return { kind: "aborted" };
      return waited.$case === "ended" ? { kind: "ended", ended: waited.value } : { kind: "unknown" };
    },
    get: (runId) =>
      orUnavailable(async () => {
        const run = await inspectRun(ground, runId);
        return run === undefined ? { kind: "unknown" } : { kind: "run", run };
      }),
    history: (runId, after, limit) =>
      orUnavailable(async () => {
        const history = await readHistory(ground, runId, after, limit);
        return history === undefined ? { kind: "unknown" } : { kind: "history", ...history };
      }),
    records: (runId) =>
      orUnavailable(async () => {
        const found = await readRecords(ground, runId);
        return found === undefined ? { kind: "unknown" } : { kind: "records", ...found };
      }),
    request: (runId, request, signal) =>
      unlessAborted(
        signal,
        orUnavailable(() => requestOf(ground, runId, request, signal)),
        late,
      ),
  };
}

const late: Unavailable = {
  kind: "unavailable",
  message: "nobody said in time what became of the request; it may be stored",
};

/** Stores an operator's request and waits for its effect. */
async function requestOf(
  ground: CallersGround,
  runId: RunId,
  request: RunRequest,
  signal: AbortSignal,
): Promise<{ readonly kind: "done"; readonly ignored: boolean } | Unknown | Unavailable> {
  const { layouts, logOf } = ground;
  const partition = partitionOf(layouts, runId);
  const first = partition === undefined ? undefined : await logOf(partition).firstEvent(runId);
  if (partition === undefined || first === undefined || isVoid(first)) return { kind: "unknown" };
  const { id, event } = toEvent(ground, runId, request);
  const written = await logOf(partition).append(runId, id, event, { signal });
  if (written.kind !== "stored") return late;
  const waited = await waitFor(ground, runId, written.sequence, signal);
  if (waited === "aborted" || waited.$case === "ended") return late;
  return waited.$case === "folded" ? { kind: "done", ignored: waited.value.ignored } : { kind: "unknown" };
}

function toEvent(
  { randomBytes }: CallersGround,
  runId: RunId,
  { kind, event }: RunRequest,
): { readonly id: string; readonly event: Uint8Array } {
  const requestId = event.requestId === "" ? toHex(randomBytes(16)) : event.requestId;
  const value = { ...event, requestId };
  const id = `${runId}/request/${requestId}`;
  const encode = (oneOf: NonNullable<Event["kind"]>): { id: string; event: Uint8Array } => ({
    id,
    event: Event.encode({ kind: oneOf }).finish(),
  });
  switch (kind) {
    case "cancel":
      return encode({ $case: "cancelRequested", value });
    case "terminate":
      return encode({ $case: "terminateRequested", value });
    case "retry":
      return encode({ $case: "retryRequested", value: { step: "", compensation: false, ...value } });
    case "fail":
      return encode({ $case: "failRequested", value: { step: "", compensation: false, ...value } });
  }
}

async function orUnavailable<T>(read: () => Promise<T>): Promise<T | Unavailable> {
  try {
    return await read();
  } catch (error) {
    return { kind: "unavailable", message: errorText(error) };
  }
}
