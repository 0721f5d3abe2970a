import type { DefinitionEntry } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { DefinitionsServer, WorkflowDefinition } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { DeployDiagnostics } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { DeployChecked } from "../processor/deployCheck.ts";
import type { Definitions } from "../processor/definitions.ts";
import { breakingFailure } from "./breakingFailure.ts";
import { workflowNotFound } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { done, failed, unary } from "./unary.ts";

/** Diagnostics that fit into a trailer; the others are counted in the message. */
const diagnosticsBytesMax = 3_500;

/** What deploying an image would change and break. Throws RunStoreError, or when NATS does not answer. */
export type CheckDeploy = (image: Uint8Array) => Promise<DeployChecked>;

/** sidestep.v1.Definitions. */
export function definitionsService(definitions: Definitions, checkDeploy: CheckDeploy): DefinitionsServer {
  return {
    plan: unary(async ({ request }) => {
      const checked = await checkDeploy(request.image);
      return checked.kind === "wrong" ? failed(wrongDefinition(checked.diagnostics)) : done(checked);
    }),
    deploy: unary(async ({ request }) => {
      if (!request.allowBreaking && !request.dryRun) {
        const checked = await checkDeploy(request.image);
        if (checked.kind === "planned" && checked.breaks.length > 0) return failed(breakingFailure(checked.breaks));
      }
      const result = await definitions.deploy(request.image, request.dryRun);
      switch (result.kind) {
        case "deployed":
          return done({ workflows: result.workflows, diagnostics: result.diagnostics });
        case "wrong":
          return failed(wrongDefinition(result.diagnostics));
      }
    }),
    list: unary(() => Promise.resolve(done({ workflows: definitions.list().map(toDefinition) }))),
    get: unary(({ request }) => {
      const entry = definitions.get(request.workflow);
      return Promise.resolve(
        entry === undefined ? failed(workflowNotFound(request.workflow)) : done({ workflow: toDefinition(entry) }),
      );
    }),
    describe: unary(async ({ request }) => {
      const described = await definitions.describe(request.workflow, request.version);
      if (described !== undefined) return done(described);
      const { workflow, version } = request;
      return failed(workflowNotFound(version === 0 ? workflow : `${workflow}, version ${version}`));
    }),
  };
}

function wrongDefinition(diagnostics: readonly Diagnostic[]): Failure {
  let shown = diagnostics;
  let value = DeployDiagnostics.encode({ diagnostics: shown }).finish();
  while (value.length > diagnosticsBytesMax && shown.length > 1) {
    shown = shown.slice(0, Math.floor(shown.length / 2));
    value = DeployDiagnostics.encode({ diagnostics: shown }).finish();
  }
  const rest = diagnostics.length - shown.length;
  const count = `${diagnostics.length} ${diagnostics.length === 1 ? "finding" : "findings"}`;
  return {
    code: code.INVALID_ARGUMENT,
    message: `the definitions are wrong, nothing was deployed: ${count}${rest === 0 ? "" : `, the first ${shown.length} in the details`}`,
    reason: "WRONG_DEFINITION",
    details: [{ typeUrl: "type.googleapis.com/sidestep.v1.DeployDiagnostics", value }],
  };
}

function toDefinition(entry: DefinitionEntry): WorkflowDefinition {
  const { workflow, activeVersion, requestType, responseType } = entry;
  const versions = entry.version
    .map((one) => ({
      version: one.number,
      hash: toHex(one.contentHash),
      deployedAt: {
        seconds: BigInt(Math.floor(one.deployedAtMs / 1000)),
        nanos: Math.floor(one.deployedAtMs % 1000) * 1_000_000,
      },
      methods: one.methods,
      attributes: one.attributes,
    }))
    .toSorted((a, b) => b.version - a.version);
  return { workflow, activeVersion, versions, requestType, responseType };
}
