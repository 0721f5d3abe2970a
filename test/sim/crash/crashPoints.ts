import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { toRandom } from "../random.ts";
import { quietFaults } from "../stack/faults.ts";
import { play } from "../stack/simulate.ts";
import type { Simulated } from "../stack/simulate.ts";
import type { Reference } from "./definitions.ts";

/** Which kind of process dies. */
export type Victim = "orchestrator" | "sidecar";

/** What killing at every point of a definition came to. */
export interface Enumerated {
  readonly points: number;
  readonly broken: readonly string[];
}

/**
 * Runs a definition without a fault and counts what its processes send; then runs it again and again, each time with the death of the
 * process that is about to send, or has just sent, the n-th of these. Each has to end as the run without a death.
 */
export async function killAtEachPoint(reference: Reference, victim: Victim): Promise<Enumerated> {
  const free = await run(reference, victim, undefined);
  const broken = [...free.result.violations];
  for (let point = 1; point <= free.sends; point++) {
    const { result } = await run(reference, victim, point);
    const wrong = [...result.violations, ...differences(reference, free.result, result)];
    broken.push(...wrong.map((what) => `${reference.name}, ${victim} dies at ${point} of ${free.sends}: ${what}`));
  }
  return { points: free.sends, broken };
}

async function run(
  { plan, answers = {} }: Reference,
  victim: Victim,
  dieAt: number | undefined,
): Promise<{ readonly sends: number; readonly result: Simulated }> {
  let sends = 0;
  const result = await play({
    seed: 1,
    random: toRandom(1),
    faults: quietFaults,
    plans: [plan],
    partitions: 1,
    script: ({ step, phase, attempt }) => {
      const list = answers[`${phase === Phase.COMPENSATE ? "undo:" : ""}${step}`] ?? [];
      return list[attempt - 1] ?? list.at(-1) ?? "OK";
    },
    begin: (stage, callers) => {
      stage.counts.callers = 1;
      const [loaded] = stage.plans;
      if (loaded !== undefined) callers.begin(loaded, 0, "key");
    },
    dies: ({ name }) => name.startsWith(victim) && ++sends === dieAt,
    isDeadly: dieAt !== undefined,
    tells: false,
  });
  return { sends, result };
}

/**
 * The same end and the same effects, however often they were tried; besides, what was begun and may have happened may be undone. Or, where doubt
 * is allowed, an undone run.
 */
function differences({ inDoubt }: Reference, free: Simulated, killed: Simulated): readonly string[] {
  const [end] = killed.ended;
  const [expected] = free.ended;
  if (inDoubt === true && end?.state === Run_State.COMPENSATED) return [];
  const wrong: string[] = [];
  if (endText(end) !== endText(expected)) wrong.push(`ends ${endText(end)}, not ${endText(expected)}`);
  const [made, wanted] = [effects(killed), effects(free)];
  const begun = new Set(killed.executions.map(({ step }) => `undo:${step}`));
  const more = made.filter((effect) => !wanted.includes(effect) && !begun.has(effect));
  const less = wanted.filter((effect) => !made.includes(effect));
  if (more.length + less.length > 0) wrong.push(`has the effects ${made.join()}, not ${wanted.join()}`);
  return wrong;
}

function endText(end: RunEnded | undefined): string {
  if (end === undefined) return "never";
  return `${end.state} ${new TextDecoder().decode(end.response)} ${end.status?.code ?? 0} ${end.status?.message ?? ""} ${end.step}`;
}

function effects({ executions }: Simulated): readonly string[] {
  const happened = executions.filter(({ effectAt }) => effectAt !== undefined);
  return [
    ...new Set(happened.map(({ step, phase }) => `${phase === Phase.COMPENSATE ? "undo:" : ""}${step}`)),
  ].toSorted();
}
