import type { Drift } from "../../../orchestrator/src/processor/drift.ts";
import { AskReply_Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { ParsedTask } from "../../../sidecar/src/core/taskMessage.ts";
import type { WorkerPorts } from "../../../sidecar/src/ports.ts";
import type { Execution } from "../performed.ts";
import type { Random } from "../random.ts";
import type { Process } from "./scheduler.ts";
import type { World } from "./world.ts";

/** What services are made of, in time: chance of its own. */
export const driftSeeds = 2_000_000_033;

/** The contract of the service that runs: now and then some of its methods are others than those that the plans know. */
export interface Drifts {
  /** Lets contracts change until the day heals. */
  begin(random: Random): void;
  /** What an orchestrator knows of it, some time after it is so. */
  viewOf(process: Process): Drift;
  /** What a sidecar asks about. */
  contractsOf(): WorkerPorts["contracts"];
  /** Calls that should have been held. */
  misfits(executions: readonly Execution[], methodOf: (id: string) => string | undefined): readonly string[];
}

interface Contract {
  readonly sinceMs: number;
  /** Methods that no plan's call fits. */
  readonly others: ReadonlySet<string>;
}

const methods = ["M0", "M1", "M2", "M3", "Undo", "Verify"].map((name) => `test.v1.Service/${name}`);
/** A sidecar that was told that a call fits may need so long to make it. */
const underWayMs = 3_200;

/** All fits, until somebody deploys the service anew. */
export function openDrifts(world: World): Drifts {
  const { scheduler } = world;
  const history: Contract[] = [{ sinceMs: -Infinity, others: new Set() }];
  const now = (): Contract => history.at(-1) ?? { sinceMs: 0, others: new Set() };
  const listeners = new Set<() => void>();
  const deploy = (others: ReadonlySet<string>): void => {
    world.tell(() => (others.size === 0 ? "the service fits" : `the service has others: ${[...others].join()}`));
    history.push({ sinceMs: scheduler.nowMs, others });
    for (const listener of listeners) listener();
  };
  const nameOf = ({ others }: Contract): string => `contract ${[...others].toSorted().join()}`;
  return {
    begin: (random) => {
      if (world.faults.isQuiet || !random.chance(0.33)) return;
      const change = (): void => {
        const isOver = !world.isFaulty();
        deploy(new Set(isOver || random.chance(0.4) ? [] : methods.filter(() => random.chance(0.3))));
        if (!isOver) scheduler.after(undefined, random.int(500, 12_000), change);
      };
      scheduler.after(undefined, random.int(0, 5_000), change);
    },
    viewOf: (process) => {
      let known = now();
      const released = new Set<() => void>();
      const look = (): void => {
        if (!process.isAlive) return void listeners.delete(hear);
        const before = known;
        known = now();
        if ([...before.others].some((method) => !known.others.has(method))) for (const listener of released) listener();
      };
      const hear = (): void => void scheduler.after(process, world.random.int(0, 5_000), look);
      listeners.add(hear);
      return {
        reasonFor: (_plan, method) => (known.others.has(method) ? `${method} is another one` : undefined),
        standing: (_plan, method, _path, contract) => (contract.includes(method) ? "misfits" : "fits"),
        onRelease: (listener) => {
          released.add(listener);
          return () => void released.delete(listener);
        },
        [Symbol.dispose]: () => void listeners.delete(hear),
      };
    },
    contractsOf: () => {
      const fits = new Set<string>();
      const keyOf = ({ message }: ParsedTask): string => `${message.method} ${toHex(message.plan)} ${nameOf(now())}`;
      const asked = new Map<ParsedTask, string>();
      return {
        contractOf: () => nameOf(now()),
        isUnsure: (task) => {
          if (history.length === 1) return false;
          asked.set(task, keyOf(task));
          return !fits.has(keyOf(task));
        },
        learn: (task, verdict) => {
          const key = asked.get(task);
          asked.delete(task);
          if (verdict === AskReply_Verdict.OPEN && key === keyOf(task)) fits.add(key);
        },
      };
    },
    misfits: (executions, methodOf) =>
      executions.flatMap(({ id, startedAt }) => {
        const method = methodOf(id);
        if (method === undefined) return [];
        const at = history.findLastIndex(({ sinceMs }) => sinceMs <= startedAt);
        // Whether the service has been another one all that time.
        let from = at;
        while ((history[from]?.sinceMs ?? 0) > startedAt - underWayMs) from--;
        const all = history.slice(from, at + 1);
        return all.every(({ others }) => others.has(method))
          ? [`${id} was called, and the service has another ${method}`]
          : [];
      }),
  };
}
