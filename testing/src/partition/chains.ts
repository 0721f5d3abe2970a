/** What is under way or waits, by the name of its chain: each thing begins when the one before it is over. */
export type Chains = Map<string, (() => void)[]>;

/** Does something once all before it in the same chain is over; `act` says when it is over itself. */
export function inChain(chains: Chains, name: string, act: (over: () => void) => void): void {
  const waiting = chains.get(name);
  const begin = (): void => act(() => goOn(chains, name));
  if (waiting !== undefined) {
    waiting.push(begin);
    return;
  }
  chains.set(name, []);
  begin();
}

function goOn(chains: Chains, name: string): void {
  const next = chains.get(name)?.shift();
  if (next === undefined) chains.delete(name);
  else next();
}
