import { floorNames } from "./bus.ts";
import type { Bus, FloorKind } from "./bus.ts";
import { encodeFacts } from "./fact.ts";
import type { Fact } from "./fact.ts";

/** Appends facts to the log; resolves when they are stored. */
export type Append = (fact: Fact) => Promise<void>;

/** Each fact as a message of its own; the fastest floor makes one message of what comes in one turn of the event loop. */
export function toAppend(bus: Bus, kind: FloorKind): Append {
  const { logSubject } = floorNames(kind);
  if (kind === "floor") return (fact) => bus.publish(logSubject(fact.run), encodeFacts([fact]));
  let facts: Fact[] = [];
  let stored = Promise.withResolvers<void>();
  return (fact) => {
    facts.push(fact);
    if (facts.length === 1) {
      stored = Promise.withResolvers();
      process.nextTick(() => {
        bus.publish(logSubject("all"), encodeFacts(facts)).then(stored.resolve, stored.reject);
        facts = [];
      });
    }
    return stored.promise;
  };
}
