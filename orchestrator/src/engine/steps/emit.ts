import type { Emitted } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import { code } from "../../../../proto/wire/status.ts";
import type { EmitMessage, StepName } from "../command.ts";
import { withdraw } from "../draft.ts";
import type { Draft } from "../draft.ts";
import { evaluateText, evaluateValue } from "../evaluate.ts";
import type { Place } from "../evaluate.ts";
import { toFailure } from "../failure.ts";
import { tooLarge } from "../limits.ts";
import type { LiveStep } from "../live.ts";
import { makeOutside } from "../outside.ts";
import { takePlace } from "../place.ts";
import type { EmitPlan } from "../plan.ts";
import { stepAt } from "../state.ts";
import { cancelStep, completeStep, failStep, isOpen } from "../step.ts";
import { subjectFlaw } from "../subject.ts";

/** Has a message stored on a subject. */
export function beginEmit(draft: Draft, step: LiveStep, plan: EmitPlan): void {
  const { state } = draft;
  const place: Place = { state, scope: step.frame.scope, step: step.path };
  const subject = evaluateText(place, plan.subject);
  if (subject.kind === "failed") {
    failStep(draft, step, subject.failure);
    return;
  }
  const flaw = subjectFlaw(subject.value);
  if (flaw !== undefined) {
    failStep(draft, step, toFailure(state.runId, step.path, code.INVALID_ARGUMENT, "SUBJECT", flaw));
    return;
  }
  const message = plan.message === undefined ? undefined : evaluateValue(place, plan.message);
  if (message?.kind === "failed") {
    failStep(draft, step, message.failure);
    return;
  }
  const bytes = message?.value.bytes ?? new Uint8Array();
  const unfit = tooLarge(state, step.path, "the message", bytes.length);
  if (unfit !== undefined) {
    failStep(draft, step, unfit);
    return;
  }
  if (!takePlace(draft, step)) return;
  const at = { step: step.path, generation: step.generation };
  emit(draft, step, {
    kind: "emitMessage",
    issuedAt: draft.sequence,
    at,
    subject: subject.value,
    type: plan.type,
    message: bytes,
  });
}

/** Asks for the same message again: it may have been stored. */
export function emitAgain(draft: Draft, step: LiveStep, message: EmitMessage): void {
  emit(draft, step, { ...message, issuedAt: draft.sequence });
}

function emit(draft: Draft, step: LiveStep, message: EmitMessage): void {
  step.outside ??= makeOutside();
  step.outside.emit = message;
  draft.state.awaiting.add(step);
  const isStopping = step.state.kind === "emitting" && step.state.isStopping;
  step.state = { kind: "emitting", isStopping };
  draft.commands.push(message);
}

/** The step whose message a command or an event is about, while that is awaited: in an incident, too, for it may be stored. */
export function emittingStep({ state }: Draft, id: StepName | undefined): LiveStep | undefined {
  const step = id === undefined ? undefined : stepAt(state, id.step);
  return step?.outside?.emit?.at.generation === id?.generation && step !== undefined && isOpen(step) ? step : undefined;
}

/** The step is given up. What may be stored already is awaited: nobody can take it back. */
export function stopEmit(draft: Draft, step: LiveStep): void {
  const message = step.outside?.emit;
  if (message === undefined || step.outside === undefined) return;
  if (withdraw(draft, message)) {
    step.outside.emit = undefined;
    cancelStep(draft, step);
    return;
  }
  step.state = { kind: "emitting", isStopping: true };
}

/** The message is stored. */
export function noteEmitted(draft: Draft, { step: id }: Emitted): boolean {
  const step = emittingStep(draft, id);
  if (step?.outside === undefined) return false;
  step.outside.emit = undefined;
  completeStep(draft, step, undefined);
  return true;
}
