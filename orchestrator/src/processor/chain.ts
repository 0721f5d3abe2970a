import type { ResidentRun } from "./residentRun.ts";

/** Does something of a run once all before it in the same chain is over: what is written elsewhere in its name comes in the order asked for. */
export function chain<T>(run: ResidentRun, name: string, act: () => Promise<T>): Promise<T> {
  const chains = (run.chains ??= new Map());
  const before = chains.get(name);
  // What failed before has been told by whoever did it.
  const done = before === undefined ? act() : before.then(act, act);
  chains.set(name, done);
  const forget = (): void => {
    if (chains.get(name) === done) chains.delete(name);
  };
  done.then(forget, forget);
  return done;
}
