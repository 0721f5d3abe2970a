import { code } from "../../../proto/wire/status.ts";
import { runNotFound, tooLarge } from "./failure.ts";
import type { Failure } from "./failure.ts";

/** What a request to a run is told that came after its end. */
export function runEnded(runId: string): Failure {
  return precondition(runId, "RUN_ENDED", `the run ${runId} has ended`);
}

/** No step of that path needs a person. */
export function noIncident(runId: string): Failure {
  return precondition(runId, "NO_INCIDENT", `the run ${runId} has no such incident`);
}

/** It has to be said which. */
export function severalIncidents(runId: string, steps: readonly string[]): Failure {
  const message = `the run ${runId} has several incidents; name one step (--step): ${steps.join(", ")}`;
  return precondition(runId, "SEVERAL_INCIDENTS", message);
}

/** Several steps back off, and it has to be said which is to go on. */
export function severalBackoffs(runId: string): Failure {
  const message = `the run ${runId} has no incident, and several steps that back off; name one (--step)`;
  return precondition(runId, "SEVERAL_INCIDENTS", message);
}

/** No approve step of that path waits for a decision. */
export function noApproval(runId: string): Failure {
  return precondition(runId, "NO_APPROVAL", `the run ${runId} has no such approval to decide`);
}

/** It has to be said which. */
export function severalApprovals(runId: string, steps: readonly string[]): Failure {
  const message = `the run ${runId} has several approvals; name one step (--step): ${steps.join(", ")}`;
  return precondition(runId, "SEVERAL_APPROVALS", message);
}

/** Somebody who may not decides. */
export function notAnApprover(runId: string, step: string, by: string): Failure {
  return {
    code: code.PERMISSION_DENIED,
    message: by === "" ? `it has to be said who decides ${step}` : `${by} is none of those who may decide ${step}`,
    reason: "NOT_AN_APPROVER",
    metadata: { run_id: runId, step },
  };
}

/** The token says another name than the decision. */
export function notYourName(runId: string | undefined, by: string, actor: string): Failure {
  return {
    code: code.PERMISSION_DENIED,
    message: `${actor} may not decide as ${JSON.stringify(by)}: leave \`by\` empty, or ask with a token of the role admin`,
    reason: "NOT_YOUR_NAME",
    metadata: { ...(runId === undefined ? {} : { run_id: runId }), by },
  };
}

/** There is nothing to resume. */
export function notPaused(runId: string): Failure {
  return precondition(runId, "NOT_PAUSED", `the run ${runId} is not paused`);
}

/** No run can go on in place of it from there on. */
export function cannotRerun(runId: string, message: string): Failure {
  return precondition(runId, "CANNOT_RERUN", `no run can go on in place of ${runId}: ${message}`);
}

/** Another run does. */
export function alreadyRerun(runId: string, as: string): Failure {
  const another = as === "" ? "another run" : `the run ${as}`;
  return precondition(runId, "ALREADY_RERUN", `${another} goes on in place of ${runId}: rerun that one`);
}

/** Only what has ended can be deleted or rerun. */
export function notEnded(runId: string): Failure {
  return precondition(runId, "NOT_ENDED", `the run ${runId} goes on: cancel or terminate it first`);
}

/** The run's own version knows no such signal or query, or knows it by another type. */
export function notInVersion(runId: string, name: string, known: readonly string[]): Failure {
  const message = `the version of the run ${runId} has no ${name}; it has ${known.length === 0 ? "none" : known.join(", ")}`;
  return precondition(runId, "NOT_IN_VERSION", message);
}

/** Bytes that are not of the type that is wanted. */
export function wrongType(message: string): Failure {
  return { code: code.INVALID_ARGUMENT, message, reason: "WRONG_TYPE" };
}

/** No run of the workflow holds the key. */
export function keyNotFound(workflow: string, key: string): Failure {
  return {
    code: code.NOT_FOUND,
    message: `no run of ${workflow} has the key ${JSON.stringify(key)}`,
    reason: "RUN_NOT_FOUND",
    metadata: { workflow, key },
  };
}

/** The name of an rpc is none. */
export function notAMethod(text: string): Failure {
  return {
    code: code.INVALID_ARGUMENT,
    message: `${JSON.stringify(text.slice(0, 200))} is no method: package.Service/Method was expected`,
    reason: "INVALID_METHOD",
  };
}

/** A number outside of what is taken. */
export function invalidNumber(name: string, taken: string): Failure {
  return { code: code.INVALID_ARGUMENT, message: `${name}: ${taken} is taken`, reason: "INVALID_NUMBER" };
}

/** What a folded request that changed nothing is told; undefined: that it is done, for it was done before. */
export function refusedFailure(
  runId: string,
  refusal: string,
  about: {
    readonly rerunAs?: string;
    readonly step?: string;
    readonly by?: string;
    readonly sizeBytes?: number;
    readonly limitBytes?: number;
  },
): Failure | undefined {
  switch (refusal) {
    case "DUPLICATE":
      return undefined;
    case "SIGNAL_NOT_FOUND":
      return notInVersion(runId, "such signal", []);
    case "SIGNAL_LIMIT":
      return {
        code: code.RESOURCE_EXHAUSTED,
        message: `as many signals wait to be taken by the run ${runId} as may (--signals-max)`,
        reason: "SIGNAL_LIMIT",
        metadata: { run_id: runId, limit: "signals-max" },
      };
    case "PAYLOAD_TOO_LARGE":
      return tooLarge(about.sizeBytes ?? 0, about.limitBytes ?? 0);
    case "NO_APPROVAL":
      return noApproval(runId);
    case "NOT_AN_APPROVER":
      return notAnApprover(runId, about.step ?? "", about.by ?? "");
    case "CANNOT_RERUN":
      return cannotRerun(runId, "it can't begin there");
    case "ALREADY_RERUN":
      return alreadyRerun(runId, about.rerunAs ?? "");
    case "RUN_NOT_FOUND":
      return runNotFound(runId);
    default:
      return runEnded(runId);
  }
}

function precondition(runId: string, reason: string, message: string): Failure {
  return { code: code.FAILED_PRECONDITION, message, reason, metadata: { run_id: runId } };
}
