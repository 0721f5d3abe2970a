import { createHash } from "node:crypto";
import { decodeEvent } from "../engine/event/decodeEvent.ts";
import { evaluateTrigger } from "../engine/trigger.ts";
import { toSignalOfEvent } from "./eventSignal.ts";
import { garbage, startByEvent } from "./eventStart.ts";
import type { Event, EventGround, EventOutcome, Meant } from "./eventStart.ts";
import { openLanes } from "./lanes.ts";

/** Takes a message of a trigger. */
export type TakeEvent = (event: Event, signal: AbortSignal) => Promise<EventOutcome>;

/** Bytes of what tells an event from others, beyond which its hash does. */
const identityBytesMax = 256;
/** Signals to one key that may wait here. */
const lanesMax = 4_096;

/** Starts the run of an event, or signals it, or says why not. Doing it again comes to the same for as long as keys are kept. */
export function toTakeEvent(ground: EventGround): TakeEvent {
  const sendSignal = toSignalOfEvent(ground, openLanes(lanesMax));
  return async ({ workflow, trigger, message, place }, signal) => {
    const active = await ground.workflows.active(workflow);
    const planned = active?.plan.triggers.find((one) => one.trigger.name === trigger);
    const kind = planned?.trigger.kind;
    if (active === undefined || planned === undefined || kind?.$case !== "subject")
      return { kind: "later", reason: `${workflow} has no trigger ${trigger} now` };
    const decoded = decodeEvent(active.plan.registry, kind.value.type, message);
    if (decoded.kind === "garbage") return garbage("UNDECODABLE", decoded.message);
    const triggered = evaluateTrigger(active.plan, planned, { kind: "event", event: decoded.event });
    if (triggered.kind === "unwanted") return triggered;
    if (triggered.kind === "failed") return garbage("EXPRESSION", triggered.message);
    const identity = shortened(decoded.identity ?? place);
    const meant: Meant = { active, planned, identity, decoded, request: triggered.request };
    return planned.trigger.signal === "" ? startByEvent(ground, meant, signal) : sendSignal(meant, signal);
  };
}

/** What tells a message from all others that has no id: a stream that is made anew counts from 1 again, but at another time. */
export function placeOf({
  stream,
  sequence,
  storedMs,
}: {
  readonly stream: string;
  readonly sequence: number;
  readonly storedMs: number;
}): string {
  return `at ${stream} ${sequence} ${storedMs}`;
}

function shortened(identity: string): string {
  if (Buffer.byteLength(identity) <= identityBytesMax) return identity;
  return `sha256 ${createHash("sha256").update(identity).digest("hex")}`;
}
