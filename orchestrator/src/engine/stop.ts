import { closeAttempt, withdrawAttempt } from "./attempts.ts";
import type { Draft } from "./draft.ts";
import type { Failure, Frame, LiveStep } from "./live.ts";
import { cancelStep } from "./step.ts";
import { stopEmit } from "./steps/emit.ts";
import { stopChild } from "./steps/run.ts";
import { cancelTimer } from "./timers.ts";

/** Nothing more begins in the frame; what is open in it is given up, and calls under way are reset and awaited. */
export function stopFrame(draft: Draft, frame: Frame): void {
  if (frame.state !== "going") return;
  frame.state = "stopping";
  if (frame.current !== undefined) stopStep(draft, frame.current);
  draft.state.worklist.push(frame);
}

/** Gives the step up, once its calls under way are settled. */
export function stopStep(draft: Draft, step: LiveStep): void {
  const { state } = step;
  switch (state.kind) {
    case "running":
      if (withdrawAttempt(draft, state.attempt)) {
        cancelStep(draft, step);
        return;
      }
      closeAttempt(draft, state.attempt);
      step.state = { kind: "closing", attempt: state.attempt, reason: "stop" };
      return;
    case "closing":
      if (state.reason !== "stop") step.state = { kind: "closing", attempt: state.attempt, reason: "stop" };
      return;
    case "backingOff":
    case "waiting":
      cancelTimer(draft, state.timer);
      cancelStep(draft, step);
      return;
    case "verifying":
      if (state.by !== undefined) stopStep(draft, state.by);
      cancelStep(draft, step);
      return;
    case "following":
      stopChild(draft, step);
      return;
    case "emitting":
      stopEmit(draft, step);
      return;
    case "ready":
    case "queued":
    case "listening":
    case "asking":
    case "paused":
      cancelStep(draft, step);
      return;
    case "inside":
      if (step.inner === undefined || step.inner.isStopping) return;
      step.inner.isStopping = true;
      for (const frame of step.inner.frames.values()) stopFrame(draft, frame);
      return;
    case "undoing":
      // What is being undone goes on: it would be undone at the end all the same.
      state.undoing.isStopping = true;
      draft.state.worklist.push(step);
      return;
    case "completed":
    case "failed":
    case "skipped":
    case "cancelled":
      return;
  }
}

/** The run will fail; everything forward stops. The first reason stands. */
export function failRun(draft: Draft, failure: Failure): void {
  const { state } = draft;
  if (state.verdict !== undefined) return;
  state.verdict = { kind: "failed", failure };
  stopForward(draft);
}

/** No new forward steps from here on; what is in flight is awaited. */
export function stopForward(draft: Draft): void {
  const { state } = draft;
  state.phase = "stopping";
  state.ending = undefined;
  if (state.deadlineTimer !== undefined) cancelTimer(draft, state.deadlineTimer);
  state.deadlineTimer = undefined;
  if (state.body !== undefined) stopFrame(draft, state.body);
}
