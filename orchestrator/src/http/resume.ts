import type { JsonValue } from "@bufbuild/protobuf";

/** How a stream is taken up again: which field of an answer is its position, and which of the request asks for what comes after it. */
interface Resumable {
  readonly id: string;
  readonly from: string;
  readonly next: (id: string) => JsonValue;
}

/** The streams of ours that can be. */
const resumable: Readonly<Record<string, Resumable>> = {
  "sidestep.v1.Runs/Follow": { id: "number", from: "from", next: (id) => String(BigInt(id) + 1n) },
  "sidestep.v1.Runs/Watch": { id: "sequence", from: "after", next: (id) => id },
};

/** The position of an answer, for the `id:` of a server-sent event. */
export function positionOf(method: string, json: JsonValue): string | undefined {
  const how = resumable[method];
  if (how === undefined || typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  // What is zero isn't written.
  const { [how.id]: position = "0" } = json;
  return typeof position === "string" ? position : undefined;
}

/** The request for what comes after the position that an EventSource has seen last. */
export function resumedAfter(method: string, json: JsonValue, lastEventId: string | undefined): JsonValue {
  const how = resumable[method];
  if (how === undefined || lastEventId === undefined || !/^[\w.-]{1,200}$/.test(lastEventId)) return json;
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  return !/^\d{1,18}$/.test(lastEventId) ? json : { ...json, [how.from]: how.next(lastEventId) };
}
