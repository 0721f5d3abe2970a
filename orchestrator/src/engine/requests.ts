import { requestsMax } from "./limits.ts";
import type { RunState } from "./state.ts";

/** Has a person's request been taken before? Without an id nobody can tell. */
export function isDoubled({ requests }: RunState, requestId: string): boolean {
  return requestId !== "" && requests.has(requestId);
}

/** The request has been taken; bounded, oldest forgotten first. */
export function rememberRequest({ requests }: RunState, requestId: string): void {
  if (requestId !== "") remember(requests, requestId, requestsMax);
}

/** Adds an id to a bounded memory of ids, which forgets the oldest. */
export function remember(ids: Set<string>, id: string, max: number): void {
  ids.add(id);
  for (const oldest of ids) {
    if (ids.size <= max) return;
    ids.delete(oldest);
  }
}
