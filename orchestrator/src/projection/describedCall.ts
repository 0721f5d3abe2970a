import type { Call } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Call_OnDoubt, Call_OnExhausted } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { DefinedSetting, DefinedStep } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { codeName } from "../../../proto/wire/status.ts";
import { expressionOf, textOf, timeOf } from "./definedSetting.ts";

/** A call as its author wrote it, defaults merged in. */
export function describeCall(
  call: Call,
): Pick<DefinedStep, "kind" | "method" | "requestType" | "resultType" | "settings"> {
  const { method, request, requestType, responseType, headers, timeoutMs, stepTimeoutMs, retry, verify } = call;
  const settings: DefinedSetting[] = [
    ...(call.passesInput
      ? textOf("request", "the run's own request, byte for byte")
      : expressionOf("request", request)),
    ...headers.flatMap(({ key, value, secret }) =>
      secret === "" ? expressionOf(`header ${key}`, value) : textOf(`header ${key}`, `secret ${secret}`),
    ),
    ...timeOf("timeout", timeoutMs),
    ...timeOf("step_timeout", stepTimeoutMs),
    ...textOf("retry", retryText(retry)),
    ...textOf("on_doubt", call.idempotent ? "RETRY (idempotent)" : (doubts[call.onDoubt] ?? "")),
    ...(verify === undefined
      ? []
      : [
          ...textOf("verify", verify.method),
          ...expressionOf("verify request", verify.request),
          ...expressionOf("verify done", verify.done),
        ]),
    ...textOf("on_exhausted", call.onExhausted === Call_OnExhausted.ON_EXHAUSTED_FAIL ? "FAIL" : "PAUSE"),
  ];
  const resultType = call.serverStreaming ? `list(${responseType})` : responseType;
  return { kind: "call", method, requestType, resultType, settings };
}

const doubts: Readonly<Record<number, string>> = {
  [Call_OnDoubt.RETRY]: "RETRY",
  [Call_OnDoubt.VERIFY]: "VERIFY",
  [Call_OnDoubt.PAUSE]: "PAUSE",
  [Call_OnDoubt.FAIL]: "FAIL",
};

function retryText(retry: Call["retry"]): string {
  if (retry === undefined) return "";
  const pause = `${timeOf("", retry.backoffMs)[0]?.text ?? "0s"} × ${retry.multiplier} up to ${timeOf("", retry.backoffMaxMs)[0]?.text ?? "0s"}`;
  const on = retry.on.length === 0 ? "" : `, on ${retry.on.map(codeName).join(", ")}`;
  return retry.attemptsMax === 1 ? "never" : `${retry.attemptsMax} attempts, ${pause}${on}`;
}
