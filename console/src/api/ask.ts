import { useEffect, useSyncExternalStore } from "react";
import { ApiError, call } from "./call.ts";
import type { Json, JsonObject } from "./json.ts";

/** What is known of an answer: the last one stays while a new one is fetched. */
export interface Answer {
  readonly value: JsonObject | undefined;
  readonly error: ApiError | undefined;
  readonly isLoading: boolean;
}

const nothing: Answer = { value: undefined, error: undefined, isLoading: true };
/** Answers that are kept when nobody looks at them any more. */
const keptMax = 200;

interface Kept {
  answer: Answer;
  readonly method: string;
  readonly request: Json;
  readonly readers: Set<() => void>;
  asking: boolean;
  isStale: boolean;
}

const kept = new Map<string, Kept>();

/** The answer of a unary rpc, asked once for all who want the same; undefined: nothing is asked. */
export function useAnswer(method: string | undefined, request: Json = {}): Answer {
  const key = method === undefined ? "" : `${method} ${JSON.stringify(request)}`;
  const one = method === undefined ? undefined : entry(key, method, request);
  const answer = useSyncExternalStore(
    (changed) => {
      one?.readers.add(changed);
      return () => void one?.readers.delete(changed);
    },
    () => one?.answer ?? nothing,
  );
  useEffect(() => {
    if (one !== undefined) void ask(one);
  }, [one]);
  return answer;
}

/** Asks again what is shown and begins with the name: after an action, or when something came that tells of a change. */
export function refresh(prefix = ""): void {
  for (const [key, one] of kept) {
    if (!key.startsWith(prefix)) continue;
    if (one.readers.size > 0) void ask(one);
    else kept.delete(key);
  }
}

function entry(key: string, method: string, request: Json): Kept {
  const there = kept.get(key);
  if (there !== undefined) return there;
  const made: Kept = { answer: nothing, method, request, readers: new Set(), asking: false, isStale: false };
  kept.set(key, made);
  for (const [old, { readers }] of kept) {
    if (kept.size <= keptMax) break;
    if (readers.size === 0 && old !== key) kept.delete(old);
  }
  return made;
}

async function ask(one: Kept): Promise<void> {
  // What changes while a question is under way is asked for once more, and not more often.
  if (one.asking) {
    one.isStale = true;
    return;
  }
  one.asking = true;
  try {
    do {
      one.isStale = false;
      tell(one, { value: await call(one.method, one.request), error: undefined, isLoading: false });
    } while (one.isStale);
  } catch (error) {
    tell(one, { value: one.answer.value, error: toApiError(error), isLoading: false });
  } finally {
    one.asking = false;
  }
}

function tell(one: Kept, answer: Answer): void {
  one.answer = answer;
  one.readers.forEach((changed) => changed());
}

/** Whatever was thrown, as the API's error. */
export function toApiError(error: unknown): ApiError {
  return error instanceof ApiError
    ? error
    : new ApiError("UNKNOWN", error instanceof Error ? error.message : String(error));
}
