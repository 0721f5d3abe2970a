import { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { makeFailure, outcomeAt } from "../../../orchestrator/src/engine/testing/records.ts";
import type { RunRequest } from "../../../orchestrator/src/processor/front.ts";
import { afterEnd, bother, helpWith, toAfterlife } from "../people.ts";
import type { Request } from "../people.ts";
import type { Random } from "../random.ts";
import type { Callers } from "./callers.ts";
import type { Crew } from "./crew.ts";
import { names } from "./log.ts";
import type { Place } from "./network.ts";
import type { Stage } from "./stage.ts";
import { strikes } from "./world.ts";

const everyMs = 250;

/** What goes wrong by itself, until the day heals. */
export function openChaos(stage: Stage, crew: Crew): void {
  const { world, network } = stage;
  const { scheduler, random, faults } = world;
  const strikesNow = (perSecond: number): boolean => strikes(world, perSecond * (everyMs / 1_000));
  const look = (): void => {
    if (!world.isFaulty()) return;
    if (strikesNow(faults.orchestratorDies)) crew.killOrchestrator();
    if (strikesNow(faults.orchestratorStops)) crew.stopOrchestrator(random.int(...faults.stopMs));
    if (strikesNow(faults.orchestratorLeaves)) crew.replaceOrchestrator();
    if (strikesNow(faults.sidecarDies)) crew.killSidecar();
    if (strikesNow(faults.sidecarStops)) crew.stopSidecar(random.int(200, 15_000));
    if (strikesNow(faults.connectionCut)) crew.cutOne(random.int(50, 4_000));
    for (const [rate, strike] of [
      [faults.outage, network.breakDown],
      [faults.stall, network.stall],
    ] as const) {
      if (!strikesNow(rate)) continue;
      const place = random.pick<Place>([
        "leases",
        "keys",
        "tasks",
        "timers",
        "core",
        ...stage.logs.map((_, n) => `log ${n}` as const),
      ]);
      const forMs = random.int(...faults.outageMs);
      world.tell(() => `${place} ${strike === network.stall ? "stands still" : "answers nobody"} for ${forMs} ms`);
      strike(place, forMs);
    }
    if (strikesNow(faults.serverRestarts)) restartServer(stage, crew);
    if (strikesNow(faults.leaderChanges)) {
      const stream = random.pick([stage.timers, stage.queue, ...stage.logs]);
      stream.skewMs = random.int(-faults.skewMsMax, faults.skewMsMax);
    }
    if (strikesNow(faults.garbage)) litter(stage);
    if (strikesNow(faults.forged)) forge(stage);
    scheduler.after(undefined, everyMs, look);
  };
  look();
}

function restartServer(stage: Stage, crew: Crew): void {
  stage.world.tell(() => "the server restarts");
  stage.queue.forget();
  stage.timers.forget();
  crew.cutAll(stage.world.random.int(50, 600));
}

/** Bytes that nobody of ours wrote. */
function litter(stage: Stage): void {
  const { random } = stage.world;
  const bytes = Uint8Array.from({ length: random.int(0, 12) }, () => random.int(0, 255));
  if (random.chance(0.3)) {
    stage.counts.garbageTasks++;
    stage.queue.store(`garbage ${stage.counts.garbageTasks}`, Uint8Array.of(0xff, ...bytes));
    return;
  }
  const partition = random.int(0, stage.logs.length - 1);
  const runs = [...stage.states.keys()];
  const runId = runs.length === 0 || random.chance(0.3) ? "no-run" : random.pick(runs);
  const of = partitionOfRun(stage, runId) ?? partition;
  const subject = random.chance(0.5) ? names.eventSubject(of, runId) : names.outcomeSubject(of, runId);
  stage.logOf(of).append(subject, Uint8Array.of(0xff, ...bytes), {});
}

/** An outcome without the attempt's token. */
function forge(stage: Stage): void {
  const { random } = stage.world;
  const runs = [...stage.states.keys()];
  if (runs.length === 0) return;
  const runId = random.pick(runs);
  const partition = partitionOfRun(stage, runId);
  if (partition === undefined) return;
  const attempt = { step: `s${random.int(0, 3)}`, generation: 0, phase: 0, attempt: random.int(1, 2) } as const;
  const kind = random.chance(0.7)
    ? ({ $case: "completed", value: new TextEncoder().encode("forged") } as const)
    : ({ $case: "failed", value: makeFailure("NOT_FOUND", "forged") } as const);
  const { fact } = outcomeAt(0, 0, attempt, kind, { token: Uint8Array.of(2) });
  if (fact.kind === "outcome")
    stage.logOf(partition).append(names.outcomeSubject(partition, runId), Outcome.encode(fact.outcome).finish(), {});
}

function partitionOfRun(stage: Stage, runId: string): number | undefined {
  const at = stage.logs.findIndex((log, partition) => log.first(names.eventSubject(partition, runId)) !== undefined);
  return at < 0 ? undefined : at;
}

/** People do what runs wait for until all has ended, and what none waits for; some runs are cancelled. */
export function openPeople(stage: Stage, callers: Callers, later: Random): void {
  const { world, states, planOf } = stage;
  const { scheduler, random, faults } = world;
  let count = 0;
  const id = (): string => `request ${++count}`;
  const afterlife = toAfterlife(later, { requestId: id, runId: () => new Uint8Array() });
  const send = (runId: string, request: RunRequest): void => {
    const parsed = parseRunId(runId);
    if (parsed === undefined) return;
    callers.request(parsed, request);
    if (strikes(world, faults.doubleRequests)) callers.request(parsed, request);
  };
  const look = (): void => {
    for (const [runId, state] of states) {
      if (strikes(world, faults.bothers)) send(runId, toRunRequest(bother(random, id)));
      const plan = planOf(state);
      if (plan !== undefined && !faults.isQuiet)
        for (const asked of afterEnd(afterlife, plan, state)) send(runId, toRunRequest(asked));
      if (state.ended !== undefined) continue;
      for (const asked of helpWith(random, state, id)) send(runId, toRunRequest(asked));
      // Not after the healing: it would hide a run that hangs.
      if (!strikes(world, 0.05)) continue;
      const event = { reason: "", actor: "", requestId: id() };
      send(runId, { kind: random.chance(0.85) ? "cancel" : "terminate", event });
    }
    scheduler.after(undefined, random.int(500, 3_000), look);
  };
  look();
}

/** As the front door takes it. */
function toRunRequest(asked: Request): RunRequest {
  switch (asked.$case) {
    case "retryRequested":
      return { kind: "retry", event: asked.value };
    case "failRequested":
      return { kind: "fail", event: asked.value };
    case "skipRequested":
      return { kind: "skip", event: asked.value };
    case "patchRequested":
      return { kind: "patch", event: asked.value };
    case "compensateRequested":
      return { kind: "compensate", event: asked.value };
    case "pauseRequested":
      return { kind: "pause", event: asked.value };
    case "resumeRequested":
      return { kind: "resume", event: asked.value };
    case "decisionMade":
      return { kind: "decide", event: asked.value };
    case "deleteRequested":
      return { kind: "delete", event: asked.value };
    case "rerunRequested": {
      const { runId: _, ...event } = asked.value;
      return { kind: "rerun", event };
    }
    case "signalReceived": {
      const { id: requestId, ...event } = asked.value;
      return { kind: "signal", event: { ...event, requestId } };
    }
  }
}
