import type { Call, CallRequest } from "../../../sidecar/src/ports.ts";
import type { Ending } from "../../../sidecar/src/core/ending.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { attemptHeader, runIdHeader, stepHeader } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import type { CodeName } from "../../../proto/wire/status.ts";
import { phaseAskedFor } from "../performed.ts";
import type { Execution } from "../performed.ts";
import type { Process } from "./scheduler.ts";
import { strikes } from "./world.ts";
import type { World } from "./world.ts";

/** What the service answers to an attempt of a step or of its undoing: OK, or a code of its own; at once, or after some time. */
export type Script = (call: {
  readonly step: string;
  readonly phase: number;
  readonly attempt: number;
}) => CodeName | { readonly code: CodeName; readonly afterMs: number };

/** The service that all steps call: its journal is the truth. */
export interface Service {
  readonly executions: readonly Execution[];
  /** Calls it from a sidecar. */
  call(from: Process, request: CallRequest): Call;
  /** The sidecar's connections break. */
  lose(from: Process): void;
}

interface UnderWay {
  readonly from: Process;
  readonly breakOff: () => void;
}

/** Services honour deadlines and resets; what they do when a connection breaks is chance. */
export function openService(
  world: World,
  attemptOf: (request: CallRequest) => string,
  script: Script | undefined,
): Service {
  const { scheduler, random, faults } = world;
  const executions: Execution[] = [];
  const underWay = new Set<UnderWay>();

  /** What a service that is asked whether a call was carried out knows of it. */
  const recall = ({ runId, step }: Execution, request: Uint8Array): string => {
    const phase = phaseAskedFor(request);
    return (
      executions.find((it) => it.runId === runId && it.step === step && it.phase === phase && it.effectAt !== undefined)
        ?.answer ?? "no"
    );
  };

  const begin = (request: CallRequest): Execution => {
    const headers = new Map(request.headers.map(({ key, value }) => [key, new TextDecoder().decode(value)]));
    const step = headers.get(stepHeader) ?? "";
    const phase = phaseOf(request);
    const attempt = Number(headers.get(attemptHeader));
    const execution: Execution = {
      runId: headers.get(runIdHeader) ?? "",
      id: attemptOf(request),
      step,
      phase,
      attempt,
      startedAt: scheduler.nowMs,
      effectAt: undefined,
      answer: "",
    };
    if (phase === Phase.VERIFY) execution.answer = recall(execution, request.body);
    else
      execution.answer = script === undefined ? `${step}/${phase}/${attempt}/${executions.length}` : `${step}/${phase}`;
    executions.push(execution);
    return execution;
  };

  return {
    executions,
    call(from, request) {
      const ended = Promise.withResolvers<Ending>();
      const startedAtMs = scheduler.nowMs;
      const state = { isOver: false, isBroken: false };
      const end = (ending: Outcome): void => {
        if (state.isOver) return;
        state.isOver = true;
        ended.resolve({ peer: "service", startedAtMs, endedAtMs: scheduler.nowMs, ...ending });
      };
      if (strikes(world, faults.callFails * 0.3)) {
        scheduler.after(from, 1, () => end(failed("UNAVAILABLE", "transport", false)));
        return { ending: ended.promise, reset: () => end(failed("CANCELLED", "transport", false)) };
      }
      const execution = begin(request);
      const { ending, hasEffect, afterMs } =
        script === undefined ? fateOf(world, execution, request.timeoutMs) : scripted(execution, script(execution));
      const me: UnderWay = { from, breakOff: () => (state.isBroken = true) };
      underWay.add(me);
      scheduler.after(undefined, random.int(0, afterMs), () => {
        if (hasEffect && !state.isBroken) execution.effectAt = scheduler.nowMs;
      });
      scheduler.after(undefined, afterMs, () => void underWay.delete(me));
      scheduler.after(from, afterMs, () => end(ending));
      const reset = (): void => {
        state.isBroken = true;
        underWay.delete(me);
        end(failed("CANCELLED", "transport", true));
      };
      return { ending: ended.promise, reset };
    },
    lose(from) {
      for (const one of underWay) if (one.from === from && random.chance(0.5)) one.breakOff();
    },
  };
}

function phaseOf({ method, service }: CallRequest): Phase {
  const name = `${service}/${method}`;
  if (name.endsWith("/Verify")) return Phase.VERIFY;
  return name.endsWith("/Undo") ? Phase.COMPENSATE : Phase.FORWARD;
}

type Outcome = Ending extends infer Each
  ? Each extends Ending
    ? Omit<Each, "peer" | "startedAtMs" | "endedAtMs">
    : never
  : never;

interface Fate {
  readonly ending: Outcome;
  readonly hasEffect: boolean;
  readonly afterMs: number;
}

function scripted({ answer }: Execution, script: ReturnType<Script>): Fate {
  const { code: name, afterMs } = typeof script === "string" ? { code: script, afterMs: 20 } : script;
  if (name !== "OK") return { ending: failed(name, "service", true), hasEffect: false, afterMs };
  return { ending: { kind: "answered", response: new TextEncoder().encode(answer) }, hasEffect: true, afterMs };
}

function fateOf(world: World, execution: Execution, timeoutMs: number): Fate {
  const { random, faults } = world;
  const quickMs = Math.min(random.int(1, 150), timeoutMs);
  if (strikes(world, faults.callHangs)) {
    return {
      ending: failed("DEADLINE_EXCEEDED", "transport", true),
      hasEffect: random.chance(0.5),
      afterMs: timeoutMs,
    };
  }
  if (strikes(world, faults.callFails)) {
    const name = random.pick([
      "UNAVAILABLE",
      "UNKNOWN",
      "INTERNAL",
      "CANCELLED",
      "ABORTED",
      "RESOURCE_EXHAUSTED",
    ] as const);
    const isDefinite = name === "ABORTED" || name === "RESOURCE_EXHAUSTED";
    const ending = failed(name, isDefinite || random.chance(0.5) ? "service" : "transport", true);
    return { ending, hasEffect: !isDefinite && random.chance(0.5), afterMs: quickMs };
  }
  if (execution.phase === 0 && !faults.isQuiet && random.chance(0.04))
    return { ending: failed("NOT_FOUND", "service", true), hasEffect: false, afterMs: quickMs };
  const response = new TextEncoder().encode(execution.answer);
  return { ending: { kind: "answered", response }, hasEffect: true, afterMs: quickMs };
}

function failed(name: CodeName, origin: "service" | "transport", sent: boolean): Outcome {
  return {
    kind: "failed",
    code: code[name],
    message: "",
    details: new Uint8Array(),
    pushback: undefined,
    origin,
    sent,
  };
}
