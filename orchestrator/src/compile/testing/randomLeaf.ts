import { OnDoubt_Policy, Status_Code } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import type { Call, DeepPartial, Step } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import { textOf } from "./making.ts";
import type { MadeKind, Making } from "./making.ts";
import type { Kind, Readable } from "./randomExpression.ts";

/** A call; one of unknown outcome is asked for, now and then. */
export function makeCall(making: Making, names: readonly Readable[]): MadeKind {
  const { random, words } = making;
  const message = random.chance(0.5) ? words.everything : words.part;
  const type: Kind = { kind: "message", message };
  const method = message === words.part ? "contract.v1.Mirror/Pick" : "contract.v1.Mirror/Reflect";
  const header = random.chance(0.3)
    ? [{ key: "x-text", kind: { $case: "value", value: textOf(making, { kind: "string" }, names) } as const }]
    : [];
  const request = textOf(making, type, names);
  const doubt = making.isPlain || random.chance(0.6) ? {} : verifiedBy(making, type, names);
  return { step: { kind: { $case: "call", value: { method, request, header, ...doubt } } }, result: type };
}

function verifiedBy(
  making: Making,
  result: Kind,
  names: readonly Readable[],
): Pick<DeepPartial<Call>, "onDoubt" | "verify"> {
  const part: Kind = { kind: "message", message: making.words.part };
  const seen = [...names, { name: "answer", type: part, isCertain: true }];
  return {
    onDoubt: OnDoubt_Policy.VERIFY,
    verify: {
      method: "contract.v1.Mirror/Pick",
      request: textOf(making, part, names),
      done: `answer.count < 700 || ${textOf(making, { kind: "bool" }, seen)}`,
      result: textOf(making, result, seen),
    },
  };
}

/** A kept value. */
export function makeLet(making: Making, names: readonly Readable[]): MadeKind {
  const { everything, part } = making.words;
  const [spelling, type] = making.random.pick<readonly [string, Kind]>([
    ["", { kind: "bool" }],
    ["", { kind: "int" }],
    ["", { kind: "string" }],
    ["", { kind: "timestamp" }],
    ["int32", { kind: "int" }],
    ["uint32", { kind: "uint" }],
    ["double", { kind: "double" }],
    ["contract.v1.Colour", { kind: "colour" }],
    ["contract.v1.Part", { kind: "message", message: part }],
    ["contract.v1.Everything", { kind: "message", message: everything }],
    ["list(string)", { kind: "list", element: { kind: "string" } }],
    ["list(contract.v1.Part)", { kind: "list", element: { kind: "message", message: part } }],
    ["map(string, int64)", { kind: "map", key: { kind: "string" }, value: { kind: "int" } }],
  ]);
  return {
    step: { kind: { $case: "let", value: { type: spelling, value: textOf(making, type, names) } } },
    result: type,
  };
}

/** A wait until some time. */
export function makeWait(making: Making, names: readonly Readable[]): MadeKind {
  const until = textOf(making, { kind: "timestamp" }, names);
  return { step: { kind: { $case: "wait", value: { kind: { $case: "until", value: until } } } }, result: undefined };
}

/** A fail that is never taken, so that what comes after it is reached. */
export function makeFail(making: Making, names: readonly Readable[]): MadeKind {
  const { part } = making.words;
  const fail = {
    code: Status_Code.ABORTED,
    message: textOf(making, { kind: "string" }, names),
    detail: [{ type: "contract.v1.Part", value: textOf(making, { kind: "message", message: part }, names) }],
  };
  const condition = textOf(making, { kind: "bool" }, names);
  return {
    step: {
      kind: {
        $case: "switch",
        value: { case: [{ when: `${condition} && false`, step: [{ kind: { $case: "fail", value: fail } }] }] },
      },
    },
    result: undefined,
  };
}

/** A message for others. */
export function makeEmit(making: Making, names: readonly Readable[]): MadeKind {
  const message = textOf(making, { kind: "message", message: making.words.part }, names);
  const subject = `"made.part" + string(${textOf(making, { kind: "uint" }, names)})`;
  return {
    step: { kind: { $case: "emit", value: { subject, type: "contract.v1.Part", message } } },
    result: undefined,
  };
}

/** The same workflow as a child, which is waited for or not. */
export function makeChild(making: Making, names: readonly Readable[]): MadeKind {
  const everything: Kind = { kind: "message", message: making.words.everything };
  const detach = making.random.chance(0.3);
  const key = making.random.chance(0.5) ? `"c" + ${textOf(making, { kind: "string" }, names)}` : "";
  const request = textOf(making, everything, names);
  return {
    step: { kind: { $case: "run", value: { method: "made.v1.Orders/Place", request, key, detach } } },
    result: detach ? undefined : everything,
  };
}

/** A message of the stream. */
export function makeYield(making: Making, names: readonly Readable[]): MadeKind {
  const value = textOf(making, { kind: "message", message: making.words.everything }, names);
  return { step: { kind: { $case: "yield", value } }, result: undefined };
}

/** What may end the run, or undoes what was done: under a condition, so that what comes after it may be reached. */
export function makeEnd(making: Making, names: readonly Readable[]): MadeKind {
  const value = textOf(making, { kind: "message", message: making.words.everything }, names);
  const when = `${textOf(making, { kind: "bool" }, names)} && size(input.texts) > 0`;
  const kind = making.random.pick<NonNullable<DeepPartial<Step>["kind"]>>([
    { $case: "return", value },
    { $case: "compensateNow", value: {} },
    { $case: "fail", value: { code: Status_Code.ABORTED } },
  ]);
  return {
    step: { kind: { $case: "switch", value: { case: [{ when, step: [{ kind }] }] } } },
    result: undefined,
  };
}
