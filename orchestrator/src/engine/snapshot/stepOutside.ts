import type { RunSnapshot_Outside as StoredOutside } from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { StepName } from "../command.ts";
import type { LiveLock, Outside } from "../outside.ts";
import { required } from "./broken.ts";

/** What a step has asked of the world besides calls. */
export function toOutside({ child, childAt, stop, emit, lock, decision }: StoredOutside): Outside {
  return {
    child: child === undefined ? undefined : { kind: "startChild", ...child, at: nameOf(child.at), key: child.key },
    childAt: childAt === undefined ? undefined : nameOf(childAt),
    stop:
      stop === undefined
        ? undefined
        : {
            kind: "stopChild",
            issuedAt: stop.issuedAt,
            at: nameOf(stop.at),
            how: stop.terminates ? "terminate" : "cancel",
            reason: stop.reason,
          },
    emit: emit === undefined ? undefined : { kind: "emitMessage", ...emit, at: nameOf(emit.at) },
    lock: lock === undefined ? undefined : toLock(lock),
    decision,
  };
}

function toLock({ issuedAt, at, name, isGranted }: NonNullable<StoredOutside["lock"]>): LiveLock {
  const step = nameOf(at);
  return { name, at: step, request: { kind: "requestLock", issuedAt, at: step, lock: name }, isGranted };
}

function nameOf(at: StepName | undefined): StepName {
  const { step, generation } = required(at, "a step's name");
  return { step, generation };
}
