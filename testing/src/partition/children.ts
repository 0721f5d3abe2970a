import type { StartChild, StepName, StopChild, TellParent } from "../../../orchestrator/src/engine/command.ts";
import { toStatus } from "../../../orchestrator/src/engine/failure.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { childRunId } from "../../../proto/wire/childRunId.ts";
import { fromHex, parseRunId, toHex } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Carrier, Ground } from "./ground.ts";
import { inChain } from "./chains.ts";

/** The id of the run that a step starts. */
export function childOf(runId: string, { step, generation }: StepName): RunId {
  const parent = parseRunId(runId);
  if (parent === undefined) throw new Error(`${runId} is no run's id`);
  return childRunId(parent, step, generation);
}

/** PROTOCOL §9: the first message of the child's log decides for good whether there is one. */
export function startChild(ground: Ground, by: Carrier, runId: string, command: StartChild, over: () => void): void {
  const { log, plans, deployed, publish } = ground;
  const childId = childOf(runId, command.at);
  inChain(by.chains, childId, (next) => {
    const done = (): void => {
      over();
      next();
    };
    const plan = deployed.get(command.workflow);
    if (plan === undefined) {
      refuse(ground, by, runId, command, toStatus(code.NOT_FOUND, "no such workflow"), done);
      return;
    }
    const started = ground.toChild(runId, childId, plan, command);
    if (!("workflow" in started)) {
      refuse(ground, by, runId, command, started, done);
      return;
    }
    publish(
      by.isAlive,
      () => {
        if (log.first(childId) === undefined) plans.set(childId, plan);
        return log.appendEvent(childId, `start/${childId}`, { $case: "runStarted", value: started }, 0);
      },
      () => answerFirst(ground, by, runId, command, done),
    );
  });
}

/** Cancels or terminates it behind its start; one that has not started by then never does. */
export function stopChild(ground: Ground, by: Carrier, runId: string, command: StopChild, over: () => void): void {
  inChain(by.chains, childOf(runId, command.at), (next) => {
    const done = (): void => {
      over();
      next();
    };
    if (!by.isAlive()) return;
    if (!answerFirst(ground, by, runId, command, done))
      refuse(ground, by, runId, command, toStatus(code.CANCELLED, command.reason), done);
  });
}

/** The end of a child, in the log of the run that waits for it. */
export function tellParent(ground: Ground, by: Carrier, runId: string, command: TellParent, done: () => void): void {
  const { parent, ended } = command;
  const step = { step: parent.step, generation: parent.generation };
  const value = { step, runId: fromHex(runId), ended };
  const store = (): unknown =>
    ground.log.appendEvent(toHex(parent.runId), `ended/${runId}`, { $case: "childEnded", value });
  ground.publish(by.isAlive, store, done);
}

/** The place of the start is taken, so that no other try of it can come after. */
function refuse(
  ground: Ground,
  by: Carrier,
  runId: string,
  command: StartChild | StopChild,
  status: RpcStatus,
  done: () => void,
): void {
  const childId = childOf(runId, command.at);
  const value = { step: { ...command.at }, status };
  ground.publish(
    by.isAlive,
    () => ground.log.appendEvent(childId, `refused/${childId}`, { $case: "childRefused", value }, 0),
    () => answerFirst(ground, by, runId, command, done),
  );
}

/** Does what the first message of the child's log asks for; false: there is none. */
function answerFirst(
  { log, publish }: Ground,
  by: Carrier,
  runId: string,
  command: StartChild | StopChild,
  done: () => void,
): boolean {
  const childId = childOf(runId, command.at);
  const first = log.first(childId);
  if (first?.fact.kind !== "event") return false;
  const { kind } = first.fact.event;
  const append = (id: string, at: string, event: Parameters<typeof log.appendEvent>[2]): void =>
    publish(by.isAlive, () => log.appendEvent(at, id, event), done);
  if (kind?.$case === "childRefused") {
    append(`refused/${childId}/told`, runId, kind);
    return true;
  }
  if (command.kind === "stopChild") {
    const { how, reason } = command;
    const value = { reason, actor: "", requestId: `${childId}/${how}` };
    append(`${childId}/${how}`, childId, {
      $case: how === "cancel" ? "cancelRequested" : "terminateRequested",
      value,
    });
  } else if (command.detach)
    append(`${childId}/started`, runId, {
      $case: "childStarted",
      value: { step: { ...command.at }, runId: fromHex(childId) },
    });
  else done();
  return true;
}
