import { toBinary } from "@bufbuild/protobuf";
import type { DescMethod, Registry } from "@bufbuild/protobuf";
import { inventMessage } from "../../../proto/json/invent.ts";
import { methodIn } from "../../../testing/src/kit/contracts.ts";
import { failedEnd, lostEnd } from "../../../testing/src/world/call.ts";
import type { CallEnd, ServiceCall } from "../../../testing/src/world/call.ts";
import type { PickFixture } from "../fixturePick.ts";
import type { Fixture } from "../fixtures.ts";

/** How calls are answered: by fixtures where there are any for them, else by what is made up from descriptor and seed. */
export interface Answering {
  readonly registry: Registry;
  readonly pick: PickFixture | undefined;
  readonly seed: number;
}

/** The end of a call. Throws when the contracts don't have its method. */
export function answerCall({ registry, pick, seed }: Answering, call: ServiceCall): CallEnd {
  const method = methodIn(registry, call.method);
  if (method === undefined) throw new Error(`the contracts have no method ${call.method}`);
  const fixture = pick?.(call.method, method.input, call.request);
  return fixture === undefined ? inventedEnd(method, call, seed) : fixtureEnd(fixture);
}

/** What is made up takes some made-up time too, so that a run's tree reads as one of life. */
function inventedEnd(method: DescMethod, call: ServiceCall, seed: number): CallEnd {
  const message = inventMessage(method.output, { seed, nowMs: call.atMs });
  return { kind: "answered", messages: [toBinary(method.output, message)], delayMs: latencyMs(seed, call) };
}

/** 5 to 80 ms, by seed and step. */
function latencyMs(seed: number, { step, method, attempt }: ServiceCall): number {
  let state = seed;
  for (const letter of `${step}/${method}/${attempt}`) state = (Math.imul(state, 31) + letter.charCodeAt(0)) >>> 0;
  return 5 + (state % 76);
}

function fixtureEnd({ end, delayMs }: Fixture): CallEnd {
  switch (end.kind) {
    case "answered":
      return { kind: "answered", messages: end.messages, delayMs };
    case "failed":
      return failedEnd(end.code, end.message, { details: end.details, delayMs });
    case "lost":
      return lostEnd(delayMs);
  }
}
