import type { BrokenRule } from "./world.ts";

/** A bug that the suite has to find. */
export type PlantedBug =
  | {
      readonly kind: "engine";
      readonly name: string;
      /** Below orchestrator/src/engine. */
      readonly file: string;
      /** Stands there once. */
      readonly find: string;
      readonly replace: string;
    }
  | { readonly kind: "protocol"; readonly name: string; readonly rule: BrokenRule };

/** All of them; README.md says what each is about. */
export const plantedBugs: readonly PlantedBug[] = [
  {
    kind: "engine",
    name: "a doubled failure restarts the backoff",
    file: "fold.ts",
    find: "if (attempt === undefined || attempt.isTold) return false;",
    replace:
      "if (attempt === undefined) { if (kind.$case === 'failed' && step.state.kind === 'backingOff') { step.state = { kind: 'ready' }; draft.state.worklist.push(step); return true; } return false; }",
  },
  {
    kind: "engine",
    name: "compensation does not wait for what is in flight",
    file: "decide.ts",
    find: 'return state.verdict?.kind === "completed" || state.forwardAttempts === 0;',
    replace: "return true;",
  },
  {
    kind: "engine",
    name: "stopping frames do not wait for their open step",
    file: "frame.ts",
    find: "if (isOpen(current)) return;",
    replace: 'if (isOpen(current) && frame.state === "going") return;',
  },
  {
    kind: "engine",
    name: "compensation runs oldest first",
    file: "compensation.ts",
    find: "const step = undo.pop();\n        if",
    replace: "const step = undo.shift();\n        if",
  },
  {
    kind: "engine",
    name: "maybe executed steps are not undone",
    file: "step.ts",
    find: '(result === "completed" || step.maybeExecuted)',
    replace: 'result === "completed"',
  },
  {
    kind: "engine",
    name: "the failure of a redelivered task is taken as definite",
    file: "steps/outcome.ts",
    find: "return (delivery > 1 || recheck) && !call.plan.isClaimed;",
    replace: "return delivery < 0 && recheck && !call.plan.isClaimed;",
  },
  {
    kind: "engine",
    name: "an expired attempt counts as not carried out",
    file: "steps/outcome.ts",
    find: "const maybeExecuted = !call.plan.isClaimed || attempt.claim !== undefined;",
    replace: "const maybeExecuted = false as boolean;",
  },
  {
    kind: "engine",
    name: "a late success of a closed attempt is thrown away",
    file: "steps/outcome.ts",
    find: "const counted = isOpen(step);",
    replace: 'const counted = isOpen(step) && step.state.kind !== "closing";',
  },
  {
    kind: "engine",
    name: "a failure of an old attempt counts",
    file: "steps/outcome.ts",
    find: '(state.kind === "running" || state.kind === "closing") && state.attempt === attempt;',
    replace: 'state.kind === "running" || (state.kind === "closing" && state.attempt === attempt);',
  },
  {
    kind: "engine",
    name: "timer numbers are used again",
    file: "timers.ts",
    find: "  state.timers.set(number, timer);",
    replace: "  state.timers.set(number, timer);\n  if (purpose.kind === 'wait') state.lastTimer -= 1;",
  },
  {
    kind: "engine",
    name: "a timer that fires twice is folded twice",
    file: "fireTimer.ts",
    find: "  state.timers.delete(number);\n",
    replace: "",
  },
  {
    kind: "engine",
    name: "the end is not asked for again",
    file: "decide.ts",
    find: "state.ending?.expectedEvent === state.lastEvent",
    replace: "state.ending !== undefined",
  },
  {
    kind: "engine",
    name: "a forged outcome is folded",
    file: "fold.ts",
    find: "return fact.authentic && foldOutcome",
    replace: "return foldOutcome",
  },
  {
    kind: "engine",
    name: "a claim is granted to whoever asks last",
    file: "fold.ts",
    find: "|| attempt.claim !== undefined) return false;",
    replace: ") return false;",
  },
  {
    kind: "engine",
    name: "retries never end",
    file: "steps/callEnd.ts",
    find: "if (tries >= call.plan.retry.attemptsMax) {",
    replace: "if (tries > call.plan.retry.attemptsMax) {",
  },
  {
    kind: "engine",
    name: "a cancel begins the next step",
    file: "frame.ts",
    find: '    if (frame.state === "stopping") {\n      endFrame(draft, frame, "stopped", undefined);\n      return;\n    }\n',
    replace: "",
  },
  {
    kind: "engine",
    name: "a doubled retry counts twice",
    file: "incident.ts",
    find: "if (requests.has(requestId)) return undefined;",
    replace: "",
  },
  {
    kind: "engine",
    name: "a closed attempt stands open for who asks",
    file: "standing.ts",
    find: 'if (attempt === undefined || attempt.close !== undefined) return "closed";',
    replace: 'if (attempt === undefined) return "closed";',
  },
  {
    kind: "engine",
    name: "a new owner does not see closed attempts",
    file: "standing.ts",
    find: "else open.push(close);",
    replace: "",
  },
  {
    kind: "engine",
    name: "the clock of the backoff is not the log's",
    file: "retry.ts",
    find: "return Math.floor(fractionOf(name) * ceilingMs(retry, tries));",
    replace: "return Math.floor(Math.random() * ceilingMs(retry, tries));",
  },
  { kind: "protocol", name: "checkpoint too early", rule: "checkpoint before the commands are durable" },
  { kind: "protocol", name: "acknowledged too early", rule: "task acknowledged before its outcome is stored" },
  { kind: "protocol", name: "redelivery unasked", rule: "redelivered task run unasked" },
  { kind: "protocol", name: "claims unasked", rule: "claim not asked for" },
  { kind: "protocol", name: "tokens unchecked", rule: "token not checked" },
  { kind: "protocol", name: "end without expectation", rule: "end appended without expectation" },
  { kind: "protocol", name: "silent takeover", rule: "takeover carries nothing out" },
  { kind: "protocol", name: "closed for ever", rule: "no end of a closed attempt" },
  { kind: "protocol", name: "random message ids", rule: "new message id at each publish" },
];
