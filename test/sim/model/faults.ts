import type { Random } from "../random.ts";

/** How bad the day is. Each fault is on in half the seeds, so that none hides another. */
export interface Faults {
  /** Chance that a publish is lost and tried again. */
  readonly drop: number;
  /** Chance that what was stored is stored twice. */
  readonly double: number;
  readonly delayMsMax: number;
  /** Chance per second that the owner dies. */
  readonly ownerDies: number;
  /** The old owner goes on for a while beside the new one. */
  readonly zombies: boolean;
  /** Pause between two checkpoints, at most. */
  readonly checkpointMsMax: number;
  /** Chance per call that its sidecar dies. */
  readonly sidecarDies: number;
  /** How long a sidecar is away, at most. */
  readonly awayMsMax: number;
  /** Chance per call of a failure that says nothing of the application. */
  readonly callFails: number;
  readonly callHangs: number;
  /** Message ids and delivery counts are forgotten. */
  readonly forgets: boolean;
  readonly resetLost: number;
  readonly forged: number;
  readonly rejects: number;
  readonly defers: number;
  /** Chance per look of people at a run that somebody does what nothing waits for. */
  readonly bothers: number;
  /** Steps and runs have no timeouts: only recovery helps. */
  readonly endless: boolean;
  /** No faults after this. */
  readonly healsMs: number;
  readonly isQuiet: boolean;
}

export function toFaults(random: Random): Faults {
  const on = (p: number): number => (random.chance(0.5) ? random.next() * p : 0);
  const isQuiet = random.chance(0.1);
  const factor = isQuiet ? 0 : 1;
  return {
    drop: on(0.2) * factor,
    double: on(0.2) * factor,
    delayMsMax: random.int(2, 60),
    ownerDies: on(0.3) * factor,
    zombies: !isQuiet && random.chance(0.3),
    checkpointMsMax: random.pick([20, 200, 1_000]),
    sidecarDies: on(0.15) * factor,
    awayMsMax: random.pick([200, 2_000, 30_000]),
    callFails: on(0.5) * factor,
    callHangs: on(0.1) * factor,
    forgets: !isQuiet && random.chance(0.5),
    resetLost: on(0.5) * factor,
    forged: on(0.1) * factor,
    rejects: on(0.03) * factor,
    defers: on(0.05) * factor,
    bothers: on(0.15) * factor,
    endless: random.chance(0.5),
    healsMs: random.int(5_000, 60_000),
    isQuiet,
  };
}
