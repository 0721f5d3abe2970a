import type { TraceStart } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { EventMessage } from "../engine/event/content.ts";
import type { DecodedEvent } from "../engine/event/decodeEvent.ts";
import type { TriggerPlan } from "../engine/plan.ts";
import type { ActiveWorkflow, Front, StartRequest, StartResult } from "./front.ts";
import type { Workflows } from "./ports.ts";
import { triggerId } from "./triggerStore.ts";

/** What taking events needs. */
export interface EventGround {
  readonly front: Pick<Front, "start" | "get" | "find" | "planOf" | "request" | "fateOf">;
  readonly workflows: Pick<Workflows, "active">;
  /** Which trace shows a run that an event with these headers starts. */
  readonly trace: (runId: RunId, caller: CallerTrace) => TraceStart;
  readonly payloadBytesMax: number;
}

export interface CallerTrace {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** A message for a trigger, and what it is known by when it does not say so itself. */
export interface Event {
  readonly workflow: string;
  readonly trigger: string;
  readonly message: EventMessage;
  readonly place: string;
}

/** What came of a message. */
export type EventOutcome =
  /** Durable; `joined`: by an earlier delivery, or the workflow's own key named a run that was there. */
  | { readonly kind: "started" | "joined" | "signalled"; readonly runId: string }
  | { readonly kind: "unwanted" }
  /** It will never do. */
  | { readonly kind: "garbage"; readonly code: GarbageCode; readonly reason: string }
  /** The run that it is for is not there yet. */
  | { readonly kind: "early"; readonly reason: string }
  /** Nobody can say now, and it is to be taken again. */
  | { readonly kind: "later"; readonly reason: string };

export type GarbageCode =
  | "UNDECODABLE"
  | "EXPRESSION"
  | "INVALID"
  | "TOO_LARGE"
  | "KEY_HELD"
  | "KEY_NOT_FOUND"
  | "RUN_ENDED"
  | "SIGNAL_REFUSED";

/** Headers that a run keeps, names included. */
const metadataBytesMax = 8_192;
/** An event that is wanted, and what its trigger has built of it. */
export interface Meant {
  readonly active: ActiveWorkflow;
  readonly planned: TriggerPlan;
  readonly identity: string;
  readonly decoded: DecodedEvent;
  readonly request: Uint8Array;
}

/** By which a start of an event is known: there is one run of it. */
export function eventKey(trigger: string, identity: string): string {
  return `event/${trigger}/${identity}`;
}

/** Starts the run of an event. */
export async function startByEvent(ground: EventGround, meant: Meant, signal: AbortSignal): Promise<EventOutcome> {
  const { active, identity } = meant;
  const asked = startOf(ground, meant);
  if ("kind" in asked) return asked;
  const key = asked.idempotencyKey ?? "";
  const hasOwnKey = active.plan.key !== undefined;
  // Another version may build another request of the same event: it is the same start all the same.
  const result = await ground.front.start(hasOwnKey ? asked : { ...asked, sameAs: Buffer.from(key) }, signal);
  if (result.kind !== "conflict") return outcomeOf(result);
  const found = await ground.front.get(result.runId);
  if (found.kind === "unavailable") return { kind: "later", reason: found.message };
  if (found.kind === "run" && found.run.triggerId === asked.event?.trigger && found.run.eventId === identity)
    return { kind: "joined", runId: result.runId };
  return garbage("KEY_HELD", `the run ${result.runId} has the same key and another request`);
}

/** The start that an event asks for. */
export function startOf(
  { trace }: Pick<EventGround, "trace">,
  { active, planned, identity, decoded, request }: Meant,
): StartRequest | Extract<EventOutcome, { readonly kind: "garbage" }> {
  const { name } = planned.trigger;
  const { metadata } = decoded;
  let sizeBytes = 0;
  for (const header of active.plan.plan.metadata)
    sizeBytes += header.length + Buffer.byteLength(metadata.get(header) ?? "");
  if (sizeBytes > metadataBytesMax)
    return garbage("TOO_LARGE", `the headers have ${sizeBytes} bytes, at most ${metadataBytesMax} are taken`);
  const caller = { traceparent: metadata.get("traceparent"), tracestate: metadata.get("tracestate") };
  const id = triggerId(active.workflow, name);
  return {
    active,
    request,
    metadata,
    idempotencyKey: eventKey(name, identity),
    trace: (runId) => trace(runId, caller),
    actor: `trigger ${id}`,
    event: { trigger: id, event: identity },
  };
}

/** What a start came to. */
export function outcomeOf(result: Exclude<StartResult, { readonly kind: "conflict" }>): EventOutcome {
  switch (result.kind) {
    case "started":
    case "joined":
      return result;
    case "invalid":
      return garbage("INVALID", result.message);
    case "tooLarge":
      return garbage("TOO_LARGE", `the request has ${result.sizeBytes} bytes, at most ${result.limitBytes} are taken`);
    case "exhausted":
      return { kind: "later", reason: "too many starts are under way, or too much waits to be folded" };
    case "unavailable":
      return { kind: "later", reason: result.message };
  }
}

/** What will never do. */
export function garbage(code: GarbageCode, reason: string): Extract<EventOutcome, { readonly kind: "garbage" }> {
  return { kind: "garbage", code, reason };
}
