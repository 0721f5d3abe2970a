/**
 * How many tasks a service asks for at a time. An idle one asks for few, so that many services can share the slots; one that gets what it
 * asks for doubles up.
 */
export type PullWindow = { readonly size: number };

/** More than that an idle service never asks for. */
export const idleBatchMax = 8;
/** Tasks that all services of a sidecar together may have asked for: nobody needs more, and what is on its way has a bound. */
const askedMax = 256;
/** So many of them may be of any size. A task has some 512 KiB at most (`--payload-bytes-max`, and headers). */
const anySizeMax = 64;
/** Of each further one. */
const taskBytes = 32 * 1024;
/** Odd: all of 32 Ki remainders come before one comes again. */
const unevenBytes = 20_261;

/** Where a service begins, one of so many that share the slots: half of what all may ask for is left to those that have more to do. */
export function firstWindow({ slots, pullers }: { readonly slots: number; readonly pullers: number }): PullWindow {
  const share = Math.min(slots, askedMax) / 2 / Math.max(pullers, 1);
  return { size: Math.min(Math.max(Math.floor(Math.min(slots / 8, share)), 1), idleBatchMax) };
}

/** What was asked for has all come. */
export function grown(window: PullWindow, sizeMax: number): PullWindow {
  return { size: Math.min(window.size * 2, Math.max(sizeMax, 1)) };
}

/** Up to how many tasks in hands each rank goes: finest where a busy sidecar is, the last one without a bound. */
const rankBounds = [4, 8, 12, 16, 24, 32, 48, 64, 96];

/** Of a request for tasks how urgent it is, 0 to 9: the server serves the sidecar with the fewest tasks in hands first, those alike in turn. */
export function rankOf(inHands: number): number {
  const rank = rankBounds.findIndex((bound) => inHands < bound);
  return rank < 0 ? rankBounds.length : rank;
}

/**
 * How many tasks to ask for now. `inHands`: tasks that run or wait here; `outstanding`: asked for with this rank or a better one and not here
 * yet, by this service; `room`: free slots that nobody has asked for; `free`: free slots. Asks for no more than are in hands, but for the
 * first few: a request keeps the rank that it was made with. While a slot is free each service may ask for one, even if others have asked for
 * the rest.
 */
export function nextBatch(
  window: PullWindow,
  now: { readonly inHands: number; readonly outstanding: number; readonly room: number; readonly free: number },
): number {
  const size = Math.min(window.size, Math.max(now.inHands, idleBatchMax));
  if (now.free <= 0 || now.outstanding > size / 2) return 0;
  const batch = Math.min(size - now.outstanding, now.room);
  return batch > 0 ? batch : now.outstanding === 0 ? 1 : 0;
}

/** For how many more tasks there is room, of so many free slots and tasks that have been asked for and are to be counted on, over all services. */
export function unaskedOf(free: number, wanted: number): number {
  return Math.min(free, askedMax) - wanted;
}

/**
 * How many bytes a request may bring; undefined: what its tasks have. `asked`: tasks asked for before, by all services over the one connection. With
 * more than 64 MB on its way nats-server drops it, and the server looks at each request alone. Up to 64 tasks need no such bound. For it the server
 * has to say when a request is over, and one with too few bytes costs a round trip: none of that is met with few slots, or few free ones. Of a request whose
 * bytes are used up to the last one nothing is said at all, so each may bring some more than the one before: tasks that are all of one size don't meet it
 * again and again. `count`: of the requests so far.
 */
export function bytesMaxOf(batch: number, asked: number, count: number): number | undefined {
  return asked + batch <= anySizeMax ? undefined : batch * taskBytes + ((count * unevenBytes) % taskBytes);
}
