import { EventTrigger_State as State } from "../../proto/gen/sidestep/v1/triggers.ts";
import type { EventTrigger } from "../../proto/gen/sidestep/v1/triggers.ts";
import { listText } from "./table.ts";
import { timeText } from "./time.ts";

/** Whether it takes messages. */
export function stateText({ state, pausedBy, pauseReason, blocked }: EventTrigger): string {
  switch (state) {
    case State.ACTIVE:
      return "active";
    case State.PAUSED: {
      const why = [pauseReason, pausedBy === "" ? "" : `by ${pausedBy}`].filter((part) => part !== "");
      return why.length === 0 ? "paused" : `paused (${why.join(", ")})`;
    }
    case State.BLOCKED:
      return `blocked: ${blocked}`;
    case State.RETIRED:
      return "retired: the contract has it no more";
    case State.STATE_UNSPECIFIED:
    case State.UNRECOGNIZED:
      return "unknown";
  }
}

/** A trigger for people. */
export function triggerText(trigger: EventTrigger): string {
  return listText([
    ["trigger", trigger.triggerId],
    ["workflow", trigger.workflow],
    ["subject", trigger.pattern],
    ["type", trigger.type],
    ["signal", trigger.signal],
    ["state", stateText(trigger)],
    ["stream", trigger.stream === "" ? "the orchestrators' own" : trigger.stream],
    ["created", timeText(trigger.createdAt)],
    ["paused", trigger.pausedAt === undefined ? "" : timeText(trigger.pausedAt)],
    ["retired", trigger.retiredAt === undefined ? "" : timeText(trigger.retiredAt)],
    ["waiting", String(trigger.waiting)],
    ["in hands", String(trigger.inHands)],
    ["parked", parkedText(trigger)],
    ["over HTTP", `POST /hooks/${trigger.triggerId}`],
  ]);
}

function parkedText({ parked, triggerId }: EventTrigger): string {
  return parked === 0n ? "0" : `${parked}; \`sidestep trigger parked ${triggerId}\` says why`;
}
