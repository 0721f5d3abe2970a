/**
 * What comes in one lump, as after a burst of starts, is taken in portions: all else that waits, probes and timers among it, has its turn between two. Portions
 * are counted over all who take, and are larger than what comes in one turn of the event loop under an even load.
 */
export const takenInTurnMax = 64;

let taken = 0;
let isCounting = false;
let waiting: ((share: number) => void)[] = [];

/** Whether one more may be taken in this turn of the event loop; counts it. */
export function mayTakeInTurn(): boolean {
  if (taken >= takenInTurnMax) return false;
  taken += 1;
  if (!isCounting) {
    isCounting = true;
    setImmediate(nextTurn);
  }
  return true;
}

/** Has `take` called in the next turn, when it may take so many; again for what is left then. */
export function takeInNextTurn(take: (share: number) => void): void {
  waiting.push(take);
  if (isCounting) return;
  isCounting = true;
  setImmediate(nextTurn);
}

function nextTurn(): void {
  taken = 0;
  isCounting = false;
  const now = waiting;
  waiting = [];
  if (now.length === 0) return;
  // None of them waits for another's lump to be over.
  const share = Math.max(1, Math.floor(takenInTurnMax / now.length));
  taken = Math.min(takenInTurnMax, share * now.length);
  isCounting = true;
  setImmediate(nextTurn);
  for (const take of now) take(share);
}
