import { advance } from "../../orchestrator/src/engine/advance.ts";
import type { LoadedPlan } from "../../orchestrator/src/engine/plan.ts";
import type { LogRecord } from "../../orchestrator/src/engine/record.ts";
import { newRun } from "../../orchestrator/src/engine/state.ts";
import { makePlan } from "../../orchestrator/src/engine/testing/plan.ts";
import type { StepSketch } from "../../orchestrator/src/engine/testing/sketch.ts";
import { eventAt, makeStarted, outcomeAt, testRunId } from "../../orchestrator/src/engine/testing/records.ts";

/**
 * npm run bench -- engine [seconds]: turns per second of the engine alone, expressions left out, and CPU a turn, which other work on the machine
 * touches less. The time of a turn must not grow with the run. Steps that can be undone stay in the state, those of a loop here are forgotten.
 */
export function measureEngine([text = "1"]: readonly string[]): Promise<void> {
  const seconds = Number(text);
  for (const count of [1, 5, 20, 100, 1_000]) {
    measure(seconds, `${count} steps, in a row`, makePlan({ steps: names(count).map(call) }), names(count));
  }
  for (const count of [10, 1_000, 10_000]) {
    const branches = names(count).map((id) => ({ steps: [call(id)] }));
    const plan = makePlan({ steps: [{ id: "all", action: { kind: "parallel", branches } }] });
    measure(seconds, `${count} branches, in parallel`, plan, names(count));
  }
  for (const count of [100, 1_000, 10_000]) {
    const body = { steps: [call("do")] };
    const action = { kind: "forEach", in: `items(${count})`, atOnce: 100, body } as const;
    const steps = names(count).map((_, i) => `each[${i}]/do`);
    measure(seconds, `for_each of ${count}`, makePlan({ steps: [{ id: "each", action }] }), steps);
  }
  for (const count of [100, 10_000]) {
    const body = { steps: [{ id: "do", action: { kind: "call", method: "x.X/Do", noticeMs: 300_000 } as const }] };
    const action = { kind: "loop", max: count, body } as const;
    const steps = names(count).map((_, i) => `again[${i}]/do`);
    measure(seconds, `loop of ${count} passes`, makePlan({ steps: [{ id: "again", action }] }), steps);
  }
  return Promise.resolve();
}

function call(id: string): StepSketch {
  return { id, undo: { method: "x.X/Undo" }, action: { kind: "call", method: "x.X/Do", noticeMs: 300_000 } };
}

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `s${i}`);
}

/** A run's whole log: each step's success in turn, then the end. */
function toRecords(plan: LoadedPlan, steps: readonly string[]): readonly LogRecord[] {
  const records = [eventAt(1, 0, { $case: "runStarted", value: makeStarted() })];
  for (const step of steps) {
    const attempt = { step, generation: 0, phase: 0, attempt: 1 } as const;
    records.push(
      outcomeAt(records.length + 1, records.length, attempt, { $case: "completed", value: new Uint8Array() }),
    );
  }
  const state = newRun(testRunId);
  for (const it of records) advance(plan, state, it);
  const { ending } = state;
  if (ending === undefined) throw new Error("the run does not end");
  records.push(eventAt(records.length + 1, records.length, { $case: "runEnded", value: ending.ended }));
  return records;
}

function measure(seconds: number, name: string, plan: LoadedPlan, steps: readonly string[]): void {
  const records = toRecords(plan, steps);
  let turns = 0;
  const startedMs = performance.now();
  const cpuBefore = process.cpuUsage();
  let elapsedMs = 0;
  while (elapsedMs < seconds * 1_000) {
    const state = newRun(testRunId);
    for (const it of records) advance(plan, state, it);
    if (state.ended === undefined) throw new Error("the run does not end");
    turns += records.length;
    elapsedMs = performance.now() - startedMs;
  }
  const cpu = process.cpuUsage(cpuBefore);
  const perSecond = Math.round((turns / elapsedMs) * 1_000).toLocaleString("en");
  const micros = ((cpu.user + cpu.system) / turns).toFixed(2);
  console.log(`${name.padEnd(28)} ${perSecond.padStart(10)} turns/s ${micros.padStart(8)} µs of CPU a turn`);
}
