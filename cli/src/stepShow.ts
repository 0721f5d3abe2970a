import type { Registry } from "@bufbuild/protobuf";
import { DescribeStepResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { StepAttempt_Result as Result } from "../../proto/gen/sidestep/v1/step_details.ts";
import type { EvaluatedExpression, StepAttempt } from "../../proto/gen/sidestep/v1/step_details.ts";
import { codeName } from "../../proto/wire/status.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ShownForm } from "./listForm.ts";
import { printShown } from "./listing.ts";
import { bytesToJson } from "./messageJson.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { durationText, timeText, toMs } from "./time.ts";
import { registryFor } from "./workflowRpc.ts";

export interface ShowStepOptions {
  readonly address: string;
  readonly runId: string;
  /** Its path: "ship", "labels[3]/label". */
  readonly step: string;
  /** What undoes that step is meant. */
  readonly compensation: boolean;
  readonly output: ShownForm;
}

/** Prints what a step computed, and each attempt of its call with what it sent. */
export async function showStep(options: ShowStepOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const { runId, step, compensation, output } = options;
  const answer = await client.call(client.runs.describeStep.bind(client.runs), { runId, step, compensation });
  const bytes = DescribeStepResponse.encode(answer).finish();
  const method = answer.attempts[0]?.method;
  const registry = method === undefined ? undefined : await registryFor(client, method);
  const text = (): string =>
    [expressionsText(answer.expressions), attemptsText(answer.attempts), requestsText(answer, registry)]
      .filter((part) => part !== "")
      .join("\n") || "the step has computed nothing, and called nobody\n";
  await printShown(output, { type: "sidestep.v1.DescribeStepResponse", bytes }, text, terminal);
}

function expressionsText(expressions: readonly EvaluatedExpression[]): string {
  if (expressions.length === 0) return "";
  const rows = expressions.map((one) => [one.name, one.text.replaceAll(/\s+/g, " "), valueText(one)]);
  return tableText(["EXPRESSION", "AS WRITTEN", "GAVE"], rows);
}

function valueText({ json, error, hidden }: EvaluatedExpression): string {
  if (hidden) return "not shown";
  return error === "" ? json : `failed: ${error}`;
}

const words: Readonly<Record<Result, string>> = {
  [Result.RESULT_UNSPECIFIED]: "not known",
  [Result.UNDER_WAY]: "under way",
  [Result.COMPLETED]: "completed",
  [Result.FAILED]: "failed",
  [Result.IN_DOUBT]: "in doubt",
  [Result.EXPIRED]: "expired",
  [Result.UNRECOGNIZED]: "not known",
};

function attemptsText(attempts: readonly StepAttempt[]): string {
  if (attempts.length === 0) return "";
  const rows = attempts.map((one) => {
    const { attempt, verify, result, askedAt, beganAt, endedAt, status, sidecar, method } = one;
    const took = beganAt === undefined || endedAt === undefined ? "" : durationText(toMs(endedAt) - toMs(beganAt));
    const error = status === undefined ? "" : `${codeName(status.code)}: ${status.message}`;
    return [`${attempt}${verify ? ", asks" : ""}`, words[result], timeText(askedAt), took, sidecar, method, error];
  });
  return tableText(["ATTEMPT", "RESULT", "ASKED FOR", "TOOK", "SIDECAR", "METHOD", ""], rows);
}

const hiddenRequest = "not shown: what is declared debug_redact may stand in any part of it";

/** Attempts that have sent the same are told together. */
function requestsText({ attempts, expressions }: DescribeStepResponse, registry: Registry | undefined): string {
  const isHidden = expressions.some(({ name, hidden }) => name === "request" && hidden);
  const byText = new Map<string, number[]>();
  for (const one of attempts) {
    const text = isHidden && one.request.length === 0 ? hiddenRequest : requestText(one, registry);
    byText.set(text, [...(byText.get(text) ?? []), one.attempt]);
  }
  return [...byText].map(([text, numbers]) => `sent by attempt ${numbers.join(", ")}: ${text}\n`).join("\n");
}

function requestText({ request, requestType, requestBytes }: StepAttempt, registry: Registry | undefined): string {
  if (requestBytes > 0n) return `${requestBytes} bytes of ${requestType}, kept apart`;
  const isKnown = registry?.getMessage(requestType) !== undefined;
  return isKnown
    ? `${requestType}\n${bytesToJson(registry, requestType, request)}`
    : `a ${requestType} of ${request.length} bytes`;
}
