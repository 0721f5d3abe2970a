import { toBinary } from "@bufbuild/protobuf";
import type { DescMethod, Registry } from "@bufbuild/protobuf";
import { inventMessage } from "../../../proto/json/invent.ts";
import type { FixtureEnd, Fixtures } from "../fixtures.ts";
import { openFixtures } from "../fixturePick.ts";

/** How a call of a stubbed method ends, and after which time. */
export interface StubAnswer {
  readonly delayMs: number;
  readonly end: FixtureEnd;
}

/** Answers a call; `request` is the first message that came. */
export type AnswerCall = (method: DescMethod, request: Uint8Array) => StubAnswer;

/** Messages of a stream that is made up. */
const streamed = 3;

/**
 * Answers from fixtures, each as many times as it says, and makes up what they have no answer for: the same for the same seed and request, whoever asks
 * and however often.
 */
export function openAnswers(fixtures: Fixtures, seed: number, registry: Registry): AnswerCall {
  const pick = openFixtures(fixtures, registry);
  return (method, request) => {
    const found = pick(`${method.parent.typeName}/${method.name}`, method.input, request);
    if (found !== undefined) return { delayMs: found.delayMs, end: found.end };
    const first = mixed(seed, request);
    const count = method.methodKind === "server_streaming" ? streamed : 1;
    const messages = Array.from({ length: count }, (_, index) =>
      toBinary(method.output, inventMessage(method.output, { seed: first + index })),
    );
    return { delayMs: 0, end: { kind: "answered", messages } };
  };
}

/** Other requests get other answers. */
function mixed(seed: number, request: Uint8Array): number {
  let state = 0x811c9dc5 ^ seed;
  for (const byte of request) state = Math.imul(state ^ byte, 0x01000193);
  return state >>> 0;
}
