import { fromBinary, toJson } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import type { Command } from "../../../orchestrator/src/engine/command.ts";
import { callTypesAt } from "../../../orchestrator/src/engine/callSignature.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import { AttemptId_Phase as Phase, RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { run_StateToJSON } from "../../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../../proto/wire/status.ts";

/** What a run asks for, as two definitions are compared by it: equal texts are the same thing asked. */
export interface Asked {
  /** Path of the step; empty: the run itself. */
  readonly step: string;
  readonly text: string;
}

/** What a command asks for, in words; undefined: it has no effect that anybody outside sees. */
export function askedBy(plan: LoadedPlan, command: Command): Asked | undefined {
  switch (command.kind) {
    case "publishTask": {
      const { step, phase, attempt } = command.attempt;
      const undo = phase === Phase.COMPENSATE ? "undo " : phase === Phase.VERIFY ? "verify " : "";
      const type = callTypesAt(plan, step, phase === Phase.COMPENSATE)?.request ?? "";
      const headers = command.headers.map((one) => ` ${one.key}: ${"secret" in one ? `[${one.secret}]` : one.value}`);
      const request = phase === Phase.VERIFY ? hexOf(command.request) : shown(plan.registry, type, command.request);
      return { step, text: `${undo}calls ${command.method} (attempt ${attempt}) with ${request}${headers.join(",")}` };
    }
    case "armTimer":
      return { step: "", text: `waits until ${new Date(command.dueMs).toISOString()} (timer ${command.number})` };
    case "endRun":
      return { step: command.ended.step, text: `ends ${endText(plan, command.ended)}` };
    case "startChild":
      return { step: command.at.step, text: `starts ${command.workflow} with ${hexOf(command.request)}` };
    case "stopChild":
      return { step: command.at.step, text: `stops its child (${command.how})` };
    case "emitMessage": {
      const message = shown(plan.registry, command.type, command.message);
      return { step: command.at.step, text: `emits ${command.type} on ${command.subject}: ${message}` };
    }
    case "requestLock":
      return { step: command.at.step, text: `asks for the lock ${command.lock}` };
    case "releaseLock":
      return { step: command.at.step, text: `gives the lock ${command.lock} back` };
    case "closeAttempt":
    case "cancelTimer":
    case "tellParent":
    case "grantLock":
    case "deleteRun":
    case "startRerun":
      return undefined;
  }
}

/** How a run ends, in words. */
export function endText({ plan, registry }: LoadedPlan, ended: RunEnded): string {
  const state = run_StateToJSON(ended.state);
  if (ended.status !== undefined) return `${state}: ${codeName(ended.status.code)}: ${ended.status.message}`;
  return `${state} with ${shown(registry, plan.responseType, ended.response)}`;
}

/** Equal ends have equal texts. */
export function endKey(ended: RunEnded): string {
  return hexOf(RunEnded.encode({ ...ended, retentionMs: undefined }).finish());
}

function shown(registry: Registry, type: string, bytes: Uint8Array): string {
  const known = registry.getMessage(type);
  if (known === undefined) return hexOf(bytes);
  try {
    return JSON.stringify(toJson(known, fromBinary(known, bytes), { registry }));
  } catch {
    return hexOf(bytes);
  }
}

function hexOf(bytes: Uint8Array): string {
  return bytes.length === 0 ? "nothing" : `${bytes.length} bytes ${Buffer.from(bytes).toString("hex").slice(0, 400)}`;
}
