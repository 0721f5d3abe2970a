import type { Failure } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { makeFailure } from "../../../orchestrator/src/engine/testing/records.ts";
import type { PublishTask } from "../../../orchestrator/src/engine/command.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { phaseAskedFor } from "../performed.ts";
import type { Execution } from "../performed.ts";
import { strikes } from "./world.ts";
import type { World } from "./world.ts";

export interface CallAnswer {
  readonly kind: "ok" | "failed";
  readonly response: string;
  readonly failure: Failure;
  readonly sent: boolean;
}

export interface SimService {
  readonly executions: readonly Execution[];
  /** Calls the service; `reset` breaks the call off, after which it has no effect any more. */
  call(runId: string, task: PublishTask, done: (answer: CallAnswer) => void): { reset(): void };
}

/** Services honour deadlines and resets; what they do when a connection breaks is chance. */
export function openService(world: World): SimService {
  const { clock, random, faults } = world;
  const executions: Execution[] = [];
  /** What a service that is asked whether a call was carried out knows of it. */
  const recall = (runId: string, { attempt, request }: PublishTask): string => {
    const phase = phaseAskedFor(request);
    return (
      executions.find(
        (it) => it.runId === runId && it.step === attempt.step && it.phase === phase && it.effectAt !== undefined,
      )?.answer ?? "no"
    );
  };
  const begin = (runId: string, task: PublishTask): Execution => {
    const { step, phase, attempt } = task.attempt;
    const answer = phase === Phase.VERIFY ? recall(runId, task) : `${step}/${phase}/${attempt}/${executions.length}`;
    const id = attemptKey(runId, task.attempt);
    const execution: Execution = { runId, id, step, phase, attempt, startedAt: clock.now, effectAt: undefined, answer };
    executions.push(execution);
    return execution;
  };
  return {
    executions,
    call(runId, task, done) {
      const unsent = failed("UNAVAILABLE", false);
      if (strikes(world, faults.callFails * 0.3)) {
        clock.after(1, () => done(unsent));
        return { reset: () => undefined };
      }
      const execution = begin(runId, task);
      const call = { isReset: false, isOver: false };
      const finish = (answer: CallAnswer, effect: boolean, afterMs: number): void => {
        const effectMs = random.int(0, Math.floor(afterMs));
        clock.after(effectMs, () => {
          if (effect && !call.isReset) execution.effectAt = clock.now;
        });
        clock.after(afterMs, () => {
          if (call.isOver) return;
          call.isOver = true;
          done(answer);
        });
      };
      const quickMs = Math.min(random.int(1, 150), task.timeoutMs);
      if (strikes(world, faults.callHangs)) finish(failed("DEADLINE_EXCEEDED"), random.chance(0.5), task.timeoutMs);
      else if (strikes(world, faults.callFails)) {
        const code = random.pick([
          "UNAVAILABLE",
          "UNKNOWN",
          "INTERNAL",
          "CANCELLED",
          "ABORTED",
          "RESOURCE_EXHAUSTED",
        ] as const);
        const isDefinite = code === "ABORTED" || code === "RESOURCE_EXHAUSTED";
        finish(failed(code), !isDefinite && random.chance(0.5), quickMs);
      } else if (task.attempt.phase === 0 && !faults.isQuiet && random.chance(0.04))
        finish(failed("NOT_FOUND"), false, quickMs);
      else
        finish({ kind: "ok", response: execution.answer, failure: makeFailure("OK", ""), sent: true }, true, quickMs);
      return {
        reset: () => {
          if (call.isOver) return;
          call.isOver = true;
          call.isReset = true;
          done(failed("CANCELLED"));
        },
      };
    },
  };
}

function failed(
  code:
    | "UNAVAILABLE"
    | "UNKNOWN"
    | "INTERNAL"
    | "CANCELLED"
    | "ABORTED"
    | "RESOURCE_EXHAUSTED"
    | "DEADLINE_EXCEEDED"
    | "NOT_FOUND",
  sent = true,
): CallAnswer {
  return { kind: "failed", response: "", failure: makeFailure(code, ""), sent };
}
