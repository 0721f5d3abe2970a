import type { Link } from "./network.ts";
import { leave, openOrchestrator } from "./orchestrator.ts";
import type { SimOrchestrator } from "./orchestrator.ts";
import { openSidecar } from "./sidecar.ts";
import type { SimSidecar } from "./sidecar.ts";
import type { Process } from "./scheduler.ts";
import type { Stage } from "./stage.ts";
import { strikes } from "./world.ts";

/** The processes of a deployment: some of each kind, and others in the place of those that are gone. */
export interface Crew {
  /** One that can be called now. */
  pick(): SimOrchestrator | undefined;
  killOrchestrator(): void;
  stopOrchestrator(forMs: number): void;
  /** A graceful stop, and another one in its place. */
  replaceOrchestrator(): void;
  killSidecar(): void;
  stopSidecar(forMs: number): void;
  cutOne(forMs: number): void;
  cutAll(forMs: number): void;
  /** Somebody stands still. */
  isStopped(): boolean;
  /** Who is there now. */
  processes(): readonly Process[];
  /** Tasks in the hands of sidecars. */
  held(): number;
}

/** Starts them. */
export function openCrew(stage: Stage, dies: ((process: Process) => boolean) | undefined): Crew {
  const { world, network } = stage;
  const { scheduler, random, faults } = world;
  let count = 0;
  const orchestrators = new Set<SimOrchestrator>();
  const sidecars = new Set<SimSidecar>();
  const addOrchestrator = (): void => void orchestrators.add(openOrchestrator(stage, `orchestrator-${++count}`));
  const addSidecar = (): void => void sidecars.add(openSidecar(stage, `sidecar-${++count}`));
  const away = (): number => random.int(50, faults.awayMsMax);
  const one = <T>(of: Set<T>): T | undefined => (of.size === 0 ? undefined : random.pick([...of]));
  const alive = (): Set<SimOrchestrator> => new Set([...orchestrators].filter(({ isLeaving }) => !isLeaving));
  const links = (): readonly Link[] => [...orchestrators, ...sidecars].map(({ link }) => link);

  const bury = (dead: SimOrchestrator | SimSidecar): void => {
    world.tell(() => `${dead.process.name} dies`);
    dead.process.isAlive = false;
    if ("processor" in dead) {
      orchestrators.delete(dead);
      if (!dead.isLeaving) scheduler.after(undefined, away(), addOrchestrator);
      return;
    }
    sidecars.delete(dead);
    stage.service.lose(dead.process);
    scheduler.after(undefined, away(), addSidecar);
  };
  network.dies = (process) => {
    if (dies === undefined ? !strikes(world, faults.diesAtSend) : !dies(process)) return false;
    const dead = [...orchestrators, ...sidecars].find((it) => it.process === process);
    if (dead !== undefined) bury(dead);
    return dead !== undefined;
  };
  for (let n = random.int(1, 3); n > 0; n--) addOrchestrator();
  for (let n = random.int(1, 2); n > 0; n--) addSidecar();

  return {
    pick: () => one(alive()),
    killOrchestrator: () => {
      const dead = one(alive());
      if (dead !== undefined) bury(dead);
    },
    stopOrchestrator: (forMs) => {
      const stopped = one(alive());
      if (stopped === undefined) return;
      world.tell(() => `${stopped.process.name} stands still for ${forMs} ms`);
      stopped.process.pausedUntilMs = scheduler.nowMs + forMs;
    },
    replaceOrchestrator: () => {
      const leaving = one(alive());
      if (leaving === undefined) return;
      world.tell(() => `${leaving.process.name} hands over`);
      leave(world, leaving);
      addOrchestrator();
      scheduler.after(undefined, 21_000, () => orchestrators.delete(leaving));
    },
    killSidecar: () => {
      const dead = one(sidecars);
      if (dead !== undefined) bury(dead);
    },
    stopSidecar: (forMs) => {
      const stopped = one(sidecars);
      if (stopped === undefined) return;
      world.tell(() => `${stopped.process.name} stands still for ${forMs} ms`);
      stopped.process.pausedUntilMs = scheduler.nowMs + forMs;
    },
    cutOne: (forMs) => {
      const all = links();
      if (all.length > 0) network.cut(random.pick(all), forMs);
    },
    cutAll: (forMs) => {
      for (const link of links()) network.cut(link, forMs);
    },
    processes: () => [...orchestrators, ...sidecars].map(({ process }) => process),
    held: () => [...sidecars].reduce((sum, { held }) => sum + held(), 0),
    isStopped: () => [...orchestrators, ...sidecars].some(({ process }) => process.pausedUntilMs > scheduler.nowMs),
  };
}
