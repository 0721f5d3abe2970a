import type { RunId } from "../../../proto/wire/runId.ts";
import { evaluateInboundKey, evaluateStart } from "../engine/key.ts";
import type { LoadedPlan, SignalPlan } from "../engine/plan.ts";
import { misfitOf } from "../engine/request.ts";
import { eventKey, garbage, outcomeOf, startOf } from "./eventStart.ts";
import type { EventGround, EventOutcome, Meant } from "./eventStart.ts";
import type { Lanes } from "./lanes.ts";

type Found = { readonly kind: "run"; readonly runId: RunId } | EventOutcome;

/** Sends the signal that an event means to the run that its key names; starts that where the signal may. Those to one key go one after the other. */
export function toSignalOfEvent(
  ground: EventGround,
  lanes: Lanes<string>,
): (meant: Meant, signal: AbortSignal) => Promise<EventOutcome> {
  return async (meant, signal) => {
    const { active, planned, request } = meant;
    const plan = active.plan.signals.find(({ name }) => name === planned.trigger.signal);
    if (plan?.key === undefined) return garbage("SIGNAL_REFUSED", "the signal says no key of a run");
    const key = evaluateInboundKey(plan.key, request);
    if (key.kind === "failed") return garbage("EXPRESSION", key.message);
    const sent = await lanes(`${active.workflow}\0${key.key}`, async (): Promise<EventOutcome> => {
      const found = await findOrStart(ground, meant, plan, key.key, signal);
      return found.kind === "run" ? send(ground, found.runId, meant, plan, signal) : found;
    });
    return sent === "full" ? { kind: "later", reason: "too many signals wait to be sent to the same key" } : sent;
  };
}

async function findOrStart(
  ground: EventGround,
  meant: Meant,
  plan: SignalPlan,
  key: string,
  signal: AbortSignal,
): Promise<Found> {
  const { active } = meant;
  const found = await ground.front.find(active.workflow, key);
  if (found.kind === "found") return { kind: "run", runId: found.runId };
  if (found.kind === "unavailable") return { kind: "later", reason: found.message };
  if (plan.start === undefined) return { kind: "early", reason: `there is no run of ${active.workflow} with its key` };
  const start = evaluateStart(plan.start, meant.request);
  if (start.kind === "failed") return garbage("EXPRESSION", start.message);
  const asked = startOf(ground, { ...meant, request: start.request });
  if ("kind" in asked) return asked;
  const result = await ground.front.start({ ...asked, idempotencyKey: key }, signal);
  // Another start with the key, of another request, was first: that is the run.
  if (result.kind === "conflict" || result.kind === "started" || result.kind === "joined")
    return { kind: "run", runId: result.runId };
  return outcomeOf(result);
}

async function send(
  { front, payloadBytesMax }: EventGround,
  runId: RunId,
  { active, planned, identity, request: payload }: Meant,
  { name, type }: SignalPlan,
  signal: AbortSignal,
): Promise<EventOutcome> {
  if (payload.length > payloadBytesMax)
    return garbage("TOO_LARGE", `the signal has ${payload.length} bytes, at most ${payloadBytesMax} are taken`);
  const refusal = (plan: LoadedPlan): string | undefined =>
    plan.signals.find((one) => one.name === name)?.type === type
      ? misfitOf(plan, type, payload)
      : `the run ${runId} takes no such signal`;
  const of = await front.planOf(runId, (plan) => refusal(plan) === undefined);
  if (of.kind === "unavailable") return { kind: "later", reason: of.message };
  if (of.kind === "unknown") return { kind: "early", reason: `the run ${runId} is gone` };
  const refused = refusal(of.plan);
  if (refused !== undefined) return garbage("SIGNAL_REFUSED", refused);
  const requestId = eventKey(planned.trigger.name, identity);
  const actor = `trigger ${active.workflow}/${planned.trigger.name}`;
  const result = await front.request(runId, { kind: "signal", event: { name, payload, requestId, actor } }, signal);
  switch (result.kind) {
    case "unavailable":
      return { kind: "later", reason: result.message };
    case "exhausted":
      return { kind: "later", reason: "too much waits to be folded" };
    case "unknown":
      return { kind: "early", reason: `the run ${runId} is gone` };
    case "done":
      if (!result.ignored || result.refusal === "DUPLICATE") return { kind: "signalled", runId };
  }
  if (result.refusal === "SIGNAL_LIMIT")
    return { kind: "later", reason: `as many signals wait to be taken by the run ${runId} as may` };
  // Delivered before a crash, it may have been what the run ended by.
  const fate = await front.fateOf(runId, requestId);
  if (fate.kind === "unavailable") return { kind: "later", reason: fate.message };
  if (fate.taken.includes(requestId)) return { kind: "signalled", runId };
  const isKnown = result.refusal === "SIGNAL_NOT_FOUND" || result.refusal === "PAYLOAD_TOO_LARGE";
  return isKnown
    ? garbage("SIGNAL_REFUSED", `the run ${runId} refuses it: ${result.refusal}`)
    : garbage("RUN_ENDED", `the run ${runId} has ended`);
}
