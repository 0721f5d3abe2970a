import { fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import type {
  DescMessage,
  DescMethod,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
  Registry,
} from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { parseDuration } from "../../../cli/src/time.ts";
import { closest } from "../../../orchestrator/src/compile/closest.ts";
import { inventMessage } from "../../../proto/json/invent.ts";
import { code } from "../../../proto/wire/status.ts";
import { failedEnd, lostEnd } from "../world/call.ts";
import type { AnswerCall, CallEnd, ServiceCall } from "../world/call.ts";
import { ending, isEnding } from "./answers.ts";
import type { Answer, Delay, Detail, Ending, Fake, FakeCall } from "./answers.ts";
import { methodIn } from "./contracts.ts";
import { toBytes, toDetail, toPlain } from "./fit.ts";
import { SandboxError } from "./sandboxError.ts";

/** Fakes by "package.Service/Method". */
export interface Fakes {
  readonly [method: string]: Fake;
}

/** A fake in the types of protobuf-es: for `fakes: { ...fake(PaymentService.method.charge, (request) => ({ chargeId: "c-1" })) }`. */
export function fake<Input extends DescMessage, Output extends DescMessage>(
  method: DescMethodUnary<Input, Output>,
  answer: (
    request: MessageShape<Input>,
    call: FakeCall,
  ) => MessageInitShape<Output> | Ending | Promise<MessageInitShape<Output> | Ending>,
): Fakes {
  const typed = (given: MessageInitShape<Output> | Ending): Answer =>
    isEnding(given) ? given : create(method.output, given);
  const name = `${method.parent.typeName}/${method.name}`;
  return {
    [name]: (_, call) => {
      const answered = answer(fromBinary(method.input, call.bytes), call);
      return answered instanceof Promise ? answered.then(typed) : typed(answered);
    },
  };
}

/** All services, by fakes; those that have none are made up from `stubSeed`, or refused. Throws SandboxError when a fake is of no known method. */
export function toServices(registry: Registry, fakes: Fakes, stubSeed: number | undefined): AnswerCall {
  for (const name of Object.keys(fakes)) checkName(registry, name);
  return (call) => {
    const method = methodIn(registry, call.method);
    if (method === undefined) throw new SandboxError(`the contracts have no method ${call.method}`);
    const given = fakes[call.method];
    if (given === undefined && stubSeed === undefined)
      throw new SandboxError(
        `no fake for ${call.method}, which step ${call.step} calls.\nAdd one to the fakes: "${call.method}": (request) => ({ … }), or have missing ones made up: stubs: 1`,
      );
    if (given === undefined) return invented(method, call, stubSeed ?? 0);
    const answer =
      typeof given === "function" ? given(toPlain(registry, method.input, call.request), toFakeCall(call)) : given;
    const end = (known: Answer): CallEnd => toEnd(registry, method, call, known);
    return answer instanceof Promise ? answer.then(end) : end(answer);
  };
}

function checkName(registry: Registry, name: string): void {
  if (methodIn(registry, name) !== undefined) return;
  const known = [...registry].flatMap((type) =>
    type.kind === "service" ? type.methods.map((method) => `${type.typeName}/${method.name}`) : [],
  );
  const near = closest(name, known);
  throw new SandboxError(
    `there is a fake for ${name}, and no such method${near === undefined ? "" : `: did you mean ${near}?`}`,
  );
}

/** The same call is always answered alike, and another attempt of it too. */
function invented(method: DescMethod, call: ServiceCall, seed: number): CallEnd {
  const message = inventMessage(method.output, { seed, nowMs: call.atMs });
  return { kind: "answered", delayMs: 0, messages: [toBinary(method.output, message)] };
}

function toFakeCall(call: ServiceCall): FakeCall {
  const { method, runId, step, purpose, attempt, idempotencyKey, headers, atMs, request } = call;
  return { method, runId, step, purpose, attempt, idempotencyKey, headers, at: new Date(atMs), bytes: request };
}

function toEnd(registry: Registry, method: DescMethod, call: ServiceCall, answer: Answer): CallEnd {
  const what = `the answer of the fake of ${call.method}`;
  if (typeof answer !== "object" || answer === null)
    throw new SandboxError(`${what} is ${String(answer)}: give a ${method.output.typeName}, {} for an empty one`);
  if (!isEnding(answer)) {
    const bytes = toBytes(registry, method.output, answer, what);
    return { kind: "answered", delayMs: 0, messages: [bytes] };
  }
  const special = answer[ending];
  switch (special.kind) {
    case "fails": {
      const details = toDetails(registry, code[special.code], special.message, special.details);
      return failedEnd(code[special.code], special.message, { details });
    }
    case "lost":
      return lostEnd();
    case "unreachable":
      return failedEnd(code.UNAVAILABLE, "the service can't be reached", { origin: "transport", sent: false });
    case "hangs":
      return { kind: "hangs", delayMs: 0 };
    case "streams": {
      if (!call.isStream) throw new SandboxError(`${what} is a stream, and ${call.method} returns one message`);
      const messages = special.messages.map((one) => toBytes(registry, method.output, one, what));
      return { kind: "answered", delayMs: 0, messages };
    }
    case "delayed": {
      const end = toEnd(registry, method, call, special.answer);
      return { ...end, delayMs: end.delayMs + toMs(special.delay) };
    }
    case "crashes":
      if (special.what === "sidecar") return { kind: "hangs", delayMs: 0, dies: "sidecar" };
      return { ...toEnd(registry, method, call, special.answer), dies: "orchestrator" };
  }
}

function toDetails(registry: Registry, number: number, message: string, given: readonly Detail[]): Uint8Array {
  const type = registry.getMessage("google.rpc.Status");
  if (given.length === 0 || type === undefined) return new Uint8Array();
  const details = given.map((one) => {
    const json = toDetail(registry, one);
    const { "@type": name } = json;
    const isShort = typeof name === "string" && !name.includes("/");
    return isShort ? { ...json, "@type": `type.googleapis.com/${name}` } : json;
  });
  try {
    return toBinary(type, fromJson(type, { code: number, message, details }, { registry }));
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    throw new SandboxError(`a detail of a status doesn't fit its message: ${told}`, error);
  }
}

/** Milliseconds of a delay. Throws SandboxError. */
export function toMs(delay: Delay): number {
  const ms = typeof delay === "number" ? delay : parseDuration(delay);
  if (ms === undefined || !(ms >= 0))
    throw new SandboxError(`expected a duration such as "300ms", "2s", "5m", "24h" or "7d", found ${delay}`);
  return ms;
}
