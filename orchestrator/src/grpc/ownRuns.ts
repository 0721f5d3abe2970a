import { FollowRunRequest, ListApprovalsRequest, WaitRunRequest } from "../../../proto/gen/sidestep/v1/runs.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Credentials } from "../processor/credentials.ts";
import type { Front } from "../processor/front.ts";
import { absenceFailure } from "./failure.ts";
import type { Failure } from "./failure.ts";

/** Which runs a service may hear of through its sidecar: those that it has begun or joined. */
export interface OwnRuns {
  /** What a service is given with a run that it has begun or joined. Says nothing to another service, and the same at every orchestrator. */
  proof(service: string, runId: RunId): string;
  /** Why the service is told nothing of the run; undefined: it is its own, by the proof or by the run's start. */
  refusal(service: string, runId: RunId, proof: string): Promise<Failure | undefined>;
}

/** What proves it takes. */
export interface OwnRunsGround {
  readonly credentials: Pick<Credentials, "token" | "isAuthentic">;
  readonly front: Pick<Front, "starterOf">;
}

/** Proofs from the secret that all orchestrators share; without one the run's start says who has begun it. */
export function toOwnRuns({ credentials, front }: OwnRunsGround): OwnRuns {
  return {
    proof: (service, runId) => Buffer.from(credentials.token(claimOf(service, runId))).toString("base64url"),
    refusal: async (service, runId, proof) => {
      if (credentials.isAuthentic(claimOf(service, runId), Buffer.from(proof, "base64url"))) return undefined;
      const got = await front.starterOf(runId);
      if (got.kind !== "starter") return absenceFailure(runId, got);
      return got.actor === service ? undefined : notOwn(service, runId);
    },
  };
}

/** Tokens of attempts begin with the run's id in hexadecimal digits: none of them is a proof, and no proof is one of them. */
function claimOf(service: string, runId: RunId): string {
  return `run ${runId} of ${service}`;
}

/** Methods of ours that begin or join a run. Their answers' headers name it. */
const beginning: ReadonlySet<string> = new Set(["sidestep.v1.Runs/Start", "sidestep.v1.Runs/Call"]);

/** Whether what a method's headers name is a run that its caller has begun or joined; `endsWithRun`: it is a workflow's own rpc. */
export function beginsRun(method: string, endsWithRun: boolean): boolean {
  return endsWithRun || beginning.has(method);
}

/** Methods that a caller may call, and that tell what is in the run which the request names. */
const telling: Readonly<Record<string, (request: Uint8Array) => string>> = {
  "sidestep.v1.Runs/Wait": (request) => WaitRunRequest.decode(request).runId,
  "sidestep.v1.Runs/Follow": (request) => FollowRunRequest.decode(request).runId,
  "sidestep.v1.Runs/ListApprovals": (request) => ListApprovalsRequest.decode(request).runId,
};

/** Those that tell what is in a run by its id. */
export const tellingMethods: readonly string[] = Object.keys(telling);

/** The run that a call asks for what is in it; undefined: it asks for none, or for one that can't be. Throws on a request that can't be read. */
export function runAskedFor(method: string, request: Uint8Array): RunId | undefined {
  const read = telling[method];
  return read === undefined ? undefined : parseRunId(read(request));
}

function notOwn(service: string, runId: RunId): Failure {
  return {
    code: code.PERMISSION_DENIED,
    message: `${service} has not begun the run ${runId}, and shows no proof (sidestep-run-proof) that it has joined it: call its workflow with the same key and request`,
    reason: "RUN_NOT_OWN",
    metadata: { run_id: runId },
  };
}
