import type { Front, RunRequest, StartResult } from "../../../orchestrator/src/processor/front.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import type { MigrationRequest } from "../../../orchestrator/src/processor/migration.ts";
import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { ToldMigration } from "../rules/migrations.ts";
import type { SimOrchestrator } from "./orchestrator.ts";
import type { Stage } from "./stage.ts";
import { wireMs } from "./world.ts";

/** Somebody who starts a run and waits for its end, whatever becomes of the orchestrators in between. */
export interface Caller {
  readonly plan: LoadedPlan;
  readonly key: string;
  /** The run that was acknowledged. */
  runId: RunId | undefined;
  ended: RunEnded | undefined;
  /** Nobody can say whether there is a run: it had no key, and the answer got lost. */
  isLost: boolean;
}

/** A stuck call is given up then, and made again elsewhere; not in endless seeds, where it would hide that somebody was forgotten. */
const patienceMs = 30_000;

/** The callers' side of the orchestrators. */
export interface Callers {
  readonly all: readonly Caller[];
  begin(plan: LoadedPlan, planNumber: number, key: string): void;
  /** An operator's request, repeated until somebody says that it is done. */
  request(runId: RunId, request: RunRequest): void;
  /** Has a run go on by another version. */
  migrate(runId: RunId, request: MigrationRequest): void;
  /** Those of which somebody was told that they are done. */
  readonly migrated: readonly ToldMigration[];
  /** Signals of which somebody was told that the run has them. */
  readonly acceptedSignals: readonly { readonly runId: RunId; readonly payload: string }[];
  /** Runs of which somebody was told that they are deleted. */
  readonly deleted: ReadonlySet<string>;
  /** Requests that nobody has answered yet. */
  readonly pending: ReadonlySet<string>;
}

/** `pick` gives one that runs now. */
export function openCallers(stage: Stage, pick: () => SimOrchestrator | undefined): Callers {
  const all: Caller[] = [];
  const pending = new Set<string>();
  const deleted = new Set<string>();
  const toBeDeleted = new Set<string>();
  const acceptedSignals: { readonly runId: RunId; readonly payload: string }[] = [];
  const { scheduler, random, faults } = stage.world;

  /** One call of one orchestrator; undefined: its connection broke, or it took too long. */
  const call = <T>(
    work: (front: Front, signal: AbortSignal) => Promise<T>,
    done: (result: T | undefined) => void,
  ): void => {
    const orchestrator = pick();
    const front = orchestrator?.processor()?.front;
    if (orchestrator === undefined || front === undefined) {
      scheduler.after(undefined, 200, () => done(undefined));
      return;
    }
    const { process } = orchestrator;
    let isOpen = true;
    const answer = (result: T | undefined): void => {
      if (!isOpen) return;
      isOpen = false;
      scheduler.after(undefined, wireMs(stage.world), () => done(result));
    };
    const abort = new AbortController();
    const look = (waitedMs: number): void => {
      if (!isOpen) return;
      if (process.isAlive && (faults.endless || waitedMs < patienceMs)) {
        scheduler.after(undefined, 500, () => look(waitedMs + 500));
        return;
      }
      scheduler.after(process, 0, () => abort.abort());
      answer(undefined);
    };
    look(0);
    scheduler.after(process, wireMs(stage.world), () => void work(front, abort.signal).then(answer));
  };

  const wait = (caller: Caller, runId: RunId): void =>
    call(
      (front, signal) => front.wait(runId, signal),
      (result) => {
        if (result?.kind === "unknown" && toBeDeleted.has(runId)) caller.isLost = true;
        else if (result?.kind === "unknown") stage.world.violations.push(`1: an acknowledged run is unknown: ${runId}`);
        else if (result?.kind === "ended") caller.ended = result.ended;
        else scheduler.after(undefined, random.int(10, 500), () => wait(caller, runId));
      },
    );

  const start = (caller: Caller, planNumber: number): void =>
    call(
      (front, signal) => front.start(toRequest(caller, planNumber), signal),
      (result) => onStarted(caller, planNumber, result),
    );

  const onStarted = (caller: Caller, planNumber: number, result: StartResult | undefined): void => {
    switch (result?.kind) {
      case "started":
      case "joined":
        caller.runId = result.runId;
        wait(caller, result.runId);
        return;
      case "invalid":
      case "tooLarge":
      case "conflict":
        stage.world.violations.push(`a start is refused: ${result.kind}`);
        return;
      case "unavailable":
      case "exhausted":
      case undefined:
        // Without a key a second try might be a second run.
        if (caller.key === "") caller.isLost = true;
        else scheduler.after(undefined, random.int(50, 3_000), () => start(caller, planNumber));
    }
  };

  const request = (runId: RunId, wanted: RunRequest): void => {
    pending.add(wanted.event.requestId);
    if (wanted.kind === "delete") toBeDeleted.add(runId);
    call(
      (front, signal) => front.request(runId, wanted, signal),
      (result) => {
        if (result?.kind === "done") {
          pending.delete(wanted.event.requestId);
          if (wanted.kind === "signal" && !result.ignored)
            acceptedSignals.push({ runId, payload: new TextDecoder().decode(wanted.event.payload) });
          if (wanted.kind === "delete" && !result.ignored) deleted.add(runId);
        } else if (result?.kind === "unknown" && toBeDeleted.has(runId)) pending.delete(wanted.event.requestId);
        else if (result?.kind === "unknown") stage.world.violations.push(`a run is unknown to a request: ${runId}`);
        else scheduler.after(undefined, random.int(50, 3_000), () => request(runId, wanted));
      },
    );
  };

  const migrated: ToldMigration[] = [];
  const migrate = (runId: RunId, wanted: MigrationRequest): void => {
    pending.add(wanted.requestId);
    call(
      (front, signal) => front.migrate(runId, wanted, signal),
      (result) => {
        if (result === undefined || result.kind === "unavailable") {
          scheduler.after(undefined, random.int(50, 3_000), () => migrate(runId, wanted));
          return;
        }
        pending.delete(wanted.requestId);
        stage.world.tell(() => `migration of ${runId} to plan ${wanted.planHash[0]}: ${JSON.stringify(result)}`);
        stage.counts.migrations[result.kind] = (stage.counts.migrations[result.kind] ?? 0) + 1;
        if (result.kind === "done") migrated.push({ runId, requestId: wanted.requestId, at: result.at });
        if (result.kind === "unknown" && !toBeDeleted.has(runId))
          stage.world.violations.push(`a run is unknown to a migration: ${runId}`);
      },
    );
  };

  return {
    migrate,
    migrated,
    all,
    begin: (plan, planNumber, key) => {
      const caller: Caller = { plan, key, runId: undefined, ended: undefined, isLost: false };
      all.push(caller);
      start(caller, planNumber);
    },
    request,
    acceptedSignals,
    deleted,
    pending,
  };
}

function toRequest({ plan, key }: Caller, planNumber: number): Parameters<Front["start"]>[0] {
  const planHash = Uint8Array.of(planNumber);
  return {
    active: { workflow: "test.v1.Workflow/Run", version: 1, plan, planHash },
    request: new Uint8Array(),
    metadata: new Map(),
    idempotencyKey: key === "" ? undefined : key,
    trace: () => ({ traceId: new Uint8Array(16), parentSpanId: new Uint8Array(8), sampled: false, tracestate: "" }),
    actor: "",
  };
}
