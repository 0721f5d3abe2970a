import type { BrokenRule } from "../model/world.ts";

/** A bug that the suite has to find. */
export type PlantedBug =
  | {
      readonly kind: "source";
      readonly name: string;
      /** From the root. */
      readonly file: string;
      /** Stands there once. */
      readonly find: string;
      readonly replace: string;
    }
  | { readonly kind: "rule"; readonly name: string; readonly rule: BrokenRule };

/** All of them; README.md says what each is about. */
export const plantedBugs: readonly PlantedBug[] = [
  {
    kind: "source",
    name: "a doubled failure restarts the backoff",
    file: "orchestrator/src/engine/fold.ts",
    find: "if (attempt === undefined || attempt.isTold) return false;",
    replace:
      "if (attempt === undefined) { if (kind.$case === 'failed' && step.state.kind === 'backingOff') { step.state = { kind: 'ready' }; draft.state.worklist.push(step); return true; } return false; }",
  },
  {
    kind: "source",
    name: "compensation does not wait for what is in flight",
    file: "orchestrator/src/engine/decide.ts",
    find: 'return state.verdict?.kind === "completed" || state.forwardAttempts === 0;',
    replace: "return true;",
  },
  {
    kind: "source",
    name: "stopping frames do not wait for their open step",
    file: "orchestrator/src/engine/frame.ts",
    find: "if (isOpen(current)) return;",
    replace: 'if (isOpen(current) && frame.state === "going") return;',
  },
  {
    kind: "source",
    name: "compensation runs oldest first",
    file: "orchestrator/src/engine/compensation.ts",
    find: "const step = undoing.waiting.pop();",
    replace: "const step = undoing.waiting.shift();",
  },
  {
    kind: "source",
    name: "maybe executed steps are not undone",
    file: "orchestrator/src/engine/step.ts",
    find: "if (isUndoable && (isCompleted || step.maybeExecuted)) noteUndo(draft, step);",
    replace: "if (isUndoable && isCompleted) noteUndo(draft, step);",
  },
  {
    kind: "source",
    name: "the failure of a redelivered task is taken as definite",
    file: "orchestrator/src/engine/steps/outcome.ts",
    find: "return (delivery > 1 || recheck) && !call.plan.isClaimed;",
    replace: "return delivery < 0 && recheck && !call.plan.isClaimed;",
  },
  {
    kind: "source",
    name: "an expired attempt counts as not carried out",
    file: "orchestrator/src/engine/steps/outcome.ts",
    find: "const maybeExecuted = !call.plan.isClaimed || attempt.claim !== undefined;",
    replace: "const maybeExecuted = false as boolean;",
  },
  {
    kind: "source",
    name: "a late success of a closed attempt is thrown away",
    file: "orchestrator/src/engine/steps/outcome.ts",
    find: "const counted = isOpen(step);",
    replace: 'const counted = isOpen(step) && step.state.kind !== "closing";',
  },
  {
    kind: "source",
    name: "a failure of an old attempt counts",
    file: "orchestrator/src/engine/steps/outcome.ts",
    find: '(state.kind === "running" || state.kind === "closing") && state.attempt === attempt;',
    replace: 'state.kind === "running" || (state.kind === "closing" && state.attempt === attempt);',
  },
  {
    kind: "source",
    name: "timer numbers are used again",
    file: "orchestrator/src/engine/timers.ts",
    find: "  state.timers.set(number, timer);",
    replace: "  state.timers.set(number, timer);\n  if (purpose.kind === 'wait') state.lastTimer -= 1;",
  },
  {
    kind: "source",
    name: "a timer that fires twice is folded twice",
    file: "orchestrator/src/engine/fireTimer.ts",
    find: "  state.timers.delete(number);\n",
    replace: "",
  },
  {
    kind: "source",
    name: "the end is not asked for again",
    file: "orchestrator/src/engine/decide.ts",
    find: "state.ending?.expectedEvent === state.lastEvent",
    replace: "state.ending !== undefined",
  },
  {
    kind: "source",
    name: "a forged outcome is folded",
    file: "orchestrator/src/engine/fold.ts",
    find: "return fact.authentic && foldOutcome",
    replace: "return foldOutcome",
  },
  {
    kind: "source",
    name: "a claim is granted to whoever asks last",
    file: "orchestrator/src/engine/fold.ts",
    find: "|| attempt.claim !== undefined) return false;",
    replace: ") return false;",
  },
  {
    kind: "source",
    name: "retries never end",
    file: "orchestrator/src/engine/steps/callEnd.ts",
    find: "if (tries >= call.plan.retry.attemptsMax) {",
    replace: "if (tries > call.plan.retry.attemptsMax) {",
  },
  {
    kind: "source",
    name: "a cancel begins the next step",
    file: "orchestrator/src/engine/frame.ts",
    find: '    if (frame.state === "stopping") {\n      endFrame(draft, frame, "stopped", undefined);\n      return;\n    }\n',
    replace: "",
  },
  {
    kind: "source",
    name: "a doubled retry counts twice",
    file: "orchestrator/src/engine/requests.ts",
    find: 'return requestId !== "" && requests.has(requestId);',
    replace: "return false;",
  },
  {
    kind: "source",
    name: "a closed attempt stands open for who asks",
    file: "orchestrator/src/engine/standing.ts",
    find: 'if (attempt === undefined || attempt.close !== undefined) return "closed";',
    replace: 'if (attempt === undefined) return "closed";',
  },
  {
    kind: "source",
    name: "a new owner does not see closed attempts",
    file: "orchestrator/src/engine/standing.ts",
    find: "else open.push(close);",
    replace: "",
  },
  {
    kind: "source",
    name: "the clock of the backoff is not the log's",
    file: "orchestrator/src/engine/retry.ts",
    find: "return Math.floor(fractionOf(name) * ceilingMs(retry, tries));",
    replace: "return Math.floor(Math.random() * ceilingMs(retry, tries));",
  },
  { kind: "rule", name: "checkpoint too early", rule: "checkpoint before the commands are durable" },
  { kind: "rule", name: "acknowledged too early", rule: "task acknowledged before its outcome is stored" },
  { kind: "rule", name: "redelivery unasked", rule: "redelivered task run unasked" },
  { kind: "rule", name: "claims unasked", rule: "claim not asked for" },
  { kind: "rule", name: "tokens unchecked", rule: "token not checked" },
  { kind: "rule", name: "end without expectation", rule: "end appended without expectation" },
  { kind: "rule", name: "silent takeover", rule: "takeover carries nothing out" },
  { kind: "rule", name: "closed for ever", rule: "no end of a closed attempt" },
];
