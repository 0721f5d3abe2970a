import type { Role } from "../../../runtime/src/tokenFile.ts";

/** Who may call a method: with one of these roles, or one above it. "open": anybody. */
export type Needs = "open" | readonly Role[];

const look = ["viewer"] as const;
const talk = ["caller", "viewer"] as const;
const begin = ["caller", "operator"] as const;
const steer = ["operator"] as const;
const review = ["operator"] as const;
const decide = ["caller", "operator"] as const;
const deploy = ["deployer"] as const;
const own = ["admin"] as const;

/** Every method of ours, and who may call it. What is not in here takes an admin. */
const byMethod: Readonly<Record<string, Needs>> = {
  "grpc.health.v1.Health/Check": "open",
  "grpc.health.v1.Health/List": "open",
  "grpc.health.v1.Health/Watch": "open",
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": talk,
  "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": talk,
  "sidestep.v1.Audit/List": review,
  "sidestep.v1.Definitions/Deploy": deploy,
  "sidestep.v1.Definitions/Plan": look,
  "sidestep.v1.Definitions/List": talk,
  "sidestep.v1.Definitions/Get": talk,
  "sidestep.v1.Definitions/Describe": look,
  "sidestep.v1.Runs/Start": begin,
  "sidestep.v1.Runs/Call": begin,
  // With a run's id, of 128 bits, in hand.
  "sidestep.v1.Runs/Wait": talk,
  "sidestep.v1.Runs/Follow": talk,
  "sidestep.v1.Runs/Signal": begin,
  "sidestep.v1.Runs/Decide": decide,
  "sidestep.v1.Runs/ListApprovals": talk,
  "sidestep.v1.Runs/Get": look,
  "sidestep.v1.Runs/List": look,
  "sidestep.v1.Runs/Count": look,
  "sidestep.v1.Runs/ListIncidents": look,
  "sidestep.v1.Runs/GetIndex": look,
  "sidestep.v1.Runs/Explain": look,
  "sidestep.v1.Runs/ExplainRuns": look,
  "sidestep.v1.Runs/WatchIndex": look,
  "sidestep.v1.Runs/Watch": look,
  "sidestep.v1.Runs/History": look,
  "sidestep.v1.Runs/DescribeStep": look,
  "sidestep.v1.Runs/Trace": look,
  "sidestep.v1.Runs/ListHolds": look,
  "sidestep.v1.Runs/ListLimits": look,
  "sidestep.v1.Runs/PreviewBulk": look,
  "sidestep.v1.Runs/PreviewMigration": look,
  "sidestep.v1.Runs/GetBulk": look,
  "sidestep.v1.Runs/ListBulks": look,
  "sidestep.v1.Traces/Get": look,
  "sidestep.v1.Traces/List": look,
  "sidestep.v1.Services/ListServices": look,
  "sidestep.v1.Services/ListSidecars": look,
  "sidestep.v1.Schedules/List": look,
  "sidestep.v1.Schedules/Describe": look,
  "sidestep.v1.Triggers/List": look,
  "sidestep.v1.Triggers/Describe": look,
  // What others have sent, whole.
  "sidestep.v1.Triggers/ListParked": review,
  "sidestep.v1.Runs/Cancel": steer,
  "sidestep.v1.Runs/Terminate": steer,
  "sidestep.v1.Runs/Retry": steer,
  "sidestep.v1.Runs/Fail": steer,
  "sidestep.v1.Runs/Skip": steer,
  "sidestep.v1.Runs/Patch": steer,
  "sidestep.v1.Runs/Compensate": steer,
  "sidestep.v1.Runs/Pause": steer,
  "sidestep.v1.Runs/Resume": steer,
  "sidestep.v1.Runs/Hold": steer,
  "sidestep.v1.Runs/Release": steer,
  "sidestep.v1.Runs/SetLimit": steer,
  "sidestep.v1.Runs/ClearLimit": steer,
  "sidestep.v1.Runs/Rerun": steer,
  "sidestep.v1.Runs/Migrate": steer,
  "sidestep.v1.Runs/StartBulk": steer,
  "sidestep.v1.Runs/StopBulk": steer,
  "sidestep.v1.Schedules/Create": steer,
  "sidestep.v1.Schedules/Pause": steer,
  "sidestep.v1.Schedules/Resume": steer,
  "sidestep.v1.Schedules/Trigger": steer,
  "sidestep.v1.Schedules/Backfill": steer,
  "sidestep.v1.Schedules/Delete": steer,
  "sidestep.v1.Triggers/Pause": steer,
  "sidestep.v1.Triggers/Resume": steer,
  "sidestep.v1.Triggers/RetryParked": steer,
  "sidestep.v1.Triggers/DropParked": steer,
  "sidestep.v1.Triggers/Delete": steer,
  "sidestep.v1.Services/DrainSidecar": steer,
  "sidestep.v1.Services/ResumeSidecar": steer,
  // And StartBulk, when it deletes.
  "sidestep.v1.Runs/Delete": own,
  "sidestep.v1.Runs/Export": own,
  "sidestep.v1.Runs/Import": own,
  "sidestep.v1.Runs/RebuildIndex": own,
};

/** Each holds what those before it hold; a caller stands apart. */
const ladder: readonly Role[] = ["viewer", "operator", "deployer", "admin"];

/** Methods of ours that somebody has thought about. */
export const ratedMethods: readonly string[] = Object.keys(byMethod);

/** Those that leave an entry in the audit. What starts runs, or signals them, is in their history alone, with who did it. */
const audited: ReadonlySet<Needs> = new Set<Needs>([steer, decide, deploy, own]);

/** Whether a call of "package.Service/Method" is recorded. */
export function isAudited(method: string): boolean {
  const needs = byMethod[method];
  return needs !== undefined && audited.has(needs);
}

/** Who may call "package.Service/Method". A deployed contract's own rpcs start runs and talk to them. */
export function needsOf(method: string): Needs {
  const known = byMethod[method];
  if (known !== undefined) return known;
  return /^(sidestep|grpc)\./.test(method) ? ["admin"] : begin;
}

/** Whether somebody of that role may. */
export function mayCall(role: Role, needs: Needs): boolean {
  if (needs === "open") return true;
  return needs.some((one) => one === role || (ladder.includes(one) && ladder.indexOf(role) > ladder.indexOf(one)));
}

/** All methods of ours that somebody of that role may call. */
export function methodsFor(role: Role): readonly string[] {
  return ratedMethods.filter((method) => mayCall(role, needsOf(method)));
}
