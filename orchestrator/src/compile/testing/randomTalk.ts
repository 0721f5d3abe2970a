import type { Block, DeepPartial } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import { textOf, uncertain } from "./making.ts";
import type { MadeKind, Making, Spot, StepsMaker } from "./making.ts";
import type { Kind, Readable } from "./randomExpression.ts";

/** A wait for a signal, for an hour at most. */
export function makeSignal(making: Making, names: Readable[], spot: Spot, makeSteps: StepsMaker): MadeKind {
  const type: Kind = { kind: "message", message: making.words.part };
  const seen = [...names, { name: "event", type, isCertain: true }];
  const when = making.random.chance(0.3) ? textOf(making, { kind: "bool" }, seen) : "";
  const due = dueOf(making, names);
  const found: Readable[] = [];
  const onTimeout = insteadOf(making, type, names, found, spot, makeSteps);
  names.push(...found);
  const name = making.random.pick(["go", "stop"]);
  return {
    step: { kind: { $case: "signal", value: { name, type: "contract.v1.Part", when, ...due, onTimeout } } },
    result: onTimeout?.result === "" ? undefined : type,
  };
}

/** A decision of people, with a form or without. */
export function makeApproval(making: Making, names: Readable[], spot: Spot, makeSteps: StepsMaker): MadeKind {
  const part: Kind = { kind: "message", message: making.words.part };
  const found: Readable[] = [];
  const decision: readonly Readable[] = [
    { name: "decision.by", type: { kind: "string" }, isCertain: true },
    { name: "decision.comment", type: { kind: "string" }, isCertain: true },
    { name: "decision.approved", type: { kind: "bool" }, isCertain: true },
    { name: "decision.at", type: { kind: "timestamp" }, isCertain: true },
  ];
  const approval = {
    title: textOf(making, { kind: "string" }, names),
    detail: textOf(making, { kind: "string" }, names),
    approvers: `["ann"] + ${textOf(making, { kind: "list", element: { kind: "string" } }, names)}`,
    type: "contract.v1.Part",
    ...dueOf(making, names),
    onTimeout: insteadOf(making, part, names, found, spot, makeSteps),
    onReject: insteadOf(making, part, [...names, ...decision], found, spot, makeSteps),
  };
  names.push(...found);
  return {
    step: { kind: { $case: "approve", value: approval } },
    result: approval.onTimeout?.result === "" || approval.onReject?.result === "" ? undefined : part,
  };
}

function dueOf(making: Making, names: readonly Readable[]): { readonly timeout: string; readonly deadline: string } {
  const deadline = making.random.chance(0.3) ? textOf(making, { kind: "timestamp" }, names) : "";
  return { timeout: "1h", deadline };
}

/** A block that takes the place of what did not come; what it holds is added to `found`. */
function insteadOf(
  making: Making,
  type: Kind,
  names: readonly Readable[],
  found: Readable[],
  spot: Spot,
  makeSteps: StepsMaker,
): (DeepPartial<Block> & { readonly result: string }) | undefined {
  if (making.random.chance(0.5)) return undefined;
  const inside = [...names];
  const step = makeSteps(making, inside, spot);
  const result = making.random.chance(0.7) ? textOf(making, type, inside) : "";
  found.push(...inside.slice(names.length).map(uncertain));
  return { step, result };
}
