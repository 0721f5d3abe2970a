import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import type { SimulationGround } from "../simulation/ground.ts";
import { armName, armsOf } from "./arms.ts";
import type { Arm } from "./arms.ts";
import { candidatesOf } from "./candidates.ts";
import { caseText, faultClasses, plainCase, sizeOf } from "./case.ts";
import type { FaultClass, SweepCase } from "./case.ts";
import { judge } from "./judge.ts";
import { playCase, siteOf } from "./play.ts";
import type { Played } from "./play.ts";

/** What a sweep found. */
export interface Swept {
  readonly runs: number;
  /** It stopped at its bound; what came after it was not looked at. */
  readonly isCut: boolean;
  readonly arms: readonly { readonly arm: string; readonly by: SweepCase | undefined }[];
  /** Each call with each class of fault, in the first case that has it. */
  readonly faults: readonly { readonly site: string; readonly fault: FaultClass; readonly played: Played }[];
  /** The smallest case first. */
  readonly problems: readonly { readonly played: Played; readonly texts: readonly string[] }[];
}

/** What a sweep goes through. */
interface Sweeping {
  readonly ground: SimulationGround;
  readonly runsMax: number;
  readonly arms: readonly Arm[];
  readonly seen: Map<string, Played | undefined>;
  /** Steps and arms that some run has reached, by the case that did. */
  readonly reached: Map<string, SweepCase>;
  readonly problems: { readonly played: Played; readonly texts: readonly string[] }[];
  readonly faults: Map<string, { readonly site: string; readonly fault: FaultClass; readonly played: Played }>;
}

/** Plays the workflow with each call failing in each way, along each way through it that is found; at most so many runs. */
export function sweep(ground: SimulationGround, runsMax: number): Swept {
  const arms = armsOf(ground.plan);
  const sweeping: Sweeping = {
    ground,
    runsMax,
    arms,
    seen: new Map(),
    reached: new Map(),
    problems: [],
    faults: new Map(),
  };
  const ways = explore(sweeping);
  for (const way of ways) failEach(sweeping, way);
  return {
    runs: sweeping.seen.size,
    isCut: sweeping.seen.size >= runsMax,
    arms: [
      ...arms.map((arm) => ({ arm: armName(arm), by: sweeping.reached.get(armName(arm)) })),
      ...idle(sweeping, arms),
    ],
    faults: [...sweeping.faults.values()],
    problems: sweeping.problems.toSorted((a, b) => sizeOf(a.played.case) - sizeOf(b.played.case)),
  };
}

/** Steps that never begin although no arm of theirs says so: something before them never lets them. */
function idle({ ground, reached }: Sweeping, arms: readonly Arm[]): Swept["arms"] {
  const told = new Set(arms.flatMap(({ steps }) => steps));
  return ground.plan.steps
    .filter(({ index }) => !told.has(index) && !reached.has(`#${index}`))
    .map(({ name }) => ({ arm: `${name} begins`, by: undefined }));
}

/** Ways through the workflow, each with something that those before it do not come to. */
function explore(sweeping: Sweeping): readonly Played[] {
  const { ground } = sweeping;
  const candidates = candidatesOf(ground.plan, ground.registry, ground.seed);
  const ways: Played[] = [];
  const take = (next: SweepCase): void => {
    const before = sweeping.reached.size;
    const played = play(sweeping, next);
    if (played !== undefined && sweeping.reached.size > before) ways.push(played);
  };
  take(plainCase);
  for (const way of ways) {
    // Half of all runs are left for what fails.
    if (sweeping.seen.size > sweeping.runsMax / 2) break;
    for (const people of ["reject", "silent"] as const) take({ ...way.case, people });
    for (const candidate of candidates) {
      const { target, value, isRisky } = candidate;
      const next = { ...way.case, set: new Map([...way.case.set, [target, value]]) };
      take(next);
      const [root = ""] = target.split(".");
      const played = sweeping.seen.get(caseText(next));
      if (!isRisky || played === undefined || !reads(played, root)) continue;
      // It is another way where other calls are made with the value.
      const name = `${target}=${JSON.stringify(value)} ${callsOf(played)}`;
      if (sweeping.reached.has(name)) continue;
      sweeping.reached.set(name, next);
      if (!ways.includes(played)) ways.push(played);
    }
  }
  return ways;
}

/** The root's value was there. */
function reads({ transitions }: Played, root: string): boolean {
  return root === "input" || transitions.some((one) => one.kind === "stepBegan" && one.plan.id === root);
}

function callsOf({ calls }: Played): string {
  return [...new Set(calls.map((call) => siteOf(call).replaceAll(/\[\d+\]/g, "")))].toSorted().join(" ");
}

/** Each call of a way, and each that undoes, fails in each way. */
function failEach(sweeping: Sweeping, way: Played): void {
  const undone = new Set<string>();
  for (const call of way.calls) {
    if (call.purpose === "undo") continue;
    for (const fault of faultClasses) {
      const failed = failing(sweeping, way.case, siteOf(call), fault);
      for (const { purpose, step } of failed?.calls ?? []) if (purpose === "undo") undone.add(step);
      if (failed === undefined || fault !== "doubt") continue;
      // What asks about it may fail as well.
      const asks = failed.calls.filter(({ purpose }) => purpose === "verify").map(siteOf);
      for (const site of new Set(asks)) for (const second of faultClasses) failing(sweeping, failed.case, site, second);
    }
  }
  for (const step of undone) {
    const trigger = lastFailing(sweeping, way, `undo ${step}`);
    if (trigger === undefined) continue;
    for (const fault of faultClasses) failing(sweeping, trigger, `undo ${step}`, fault);
  }
}

/** The case, made from a way by one fault, that undoes most and this step among it. */
function lastFailing({ seen }: Sweeping, way: Played, site: string): SweepCase | undefined {
  for (const call of way.calls.toReversed()) {
    for (const fault of ["final", "doubt", "refused"] as const) {
      const fail = new Map([...way.case.fail, [siteOf(call), fault]]);
      const played = seen.get(caseText({ ...way.case, fail }));
      if (played?.calls.some((one) => siteOf(one) === site) === true) return played.case;
    }
  }
  return undefined;
}

function failing(sweeping: Sweeping, base: SweepCase, site: string, fault: FaultClass): Played | undefined {
  const played = play(sweeping, { ...base, fail: new Map([...base.fail, [site, fault]]) });
  const name = `${site} ${fault}`;
  if (played !== undefined && !sweeping.faults.has(name)) sweeping.faults.set(name, { site, fault, played });
  return played;
}

/** Plays a case, in both orders where anything runs side by side. */
function play(sweeping: Sweeping, next: SweepCase): Played | undefined {
  const played = playOnce(sweeping, next);
  if (hasOrders(sweeping.ground.plan)) playOnce(sweeping, { ...next, order: "reversed" });
  return played;
}

function playOnce(sweeping: Sweeping, next: SweepCase): Played | undefined {
  const { ground, seen, runsMax, problems } = sweeping;
  const name = caseText(next);
  if (seen.has(name)) return seen.get(name);
  if (seen.size >= runsMax) return undefined;
  const played = playCase(ground, next);
  seen.set(name, played);
  if (played === undefined) return undefined;
  note(sweeping, played);
  const texts = judge(ground, played);
  if (texts.length > 0) problems.push({ played, texts });
  return played;
}

function note({ arms, reached }: Sweeping, { case: by, transitions }: Played): void {
  const begun = new Set<number>();
  const skipped = new Set<number>();
  for (const one of transitions) {
    if (one.kind === "stepBegan") begun.add(one.plan.index);
    if (one.kind === "stepEnded" && one.result === "skipped") skipped.add(one.plan.index);
  }
  const reach = (name: string): void => void (reached.has(name) || reached.set(name, by));
  for (const index of begun) reach(`#${index}`);
  for (const arm of arms) {
    const taken = arm.isSkip ? skipped : begun;
    // Of an arm that only skips, the condition's step tells.
    if (arm.steps.some((index) => taken.has(index))) reach(armName(arm));
  }
}

function hasOrders({ steps }: LoadedPlan): boolean {
  return steps.some(({ action }) => action.kind === "parallel" || action.kind === "forEach");
}
