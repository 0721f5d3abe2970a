import type { Random } from "../random.ts";

/** How bad the day is. Each fault is on in half the seeds, so that none hides another. Rates are per second. */
export interface Faults {
  /** Chance that a message to or from the server is lost. */
  readonly drop: number;
  readonly delayMsMax: number;
  readonly orchestratorDies: number;
  readonly orchestratorStops: number;
  /** How long it stands still then. */
  readonly stopMs: readonly [number, number];
  readonly orchestratorLeaves: number;
  readonly sidecarDies: number;
  readonly sidecarStops: number;
  /** How long a sidecar or an orchestrator is away, at most. */
  readonly awayMsMax: number;
  /** Chance that a process dies right before or after it sends something. */
  readonly diesAtSend: number;
  readonly connectionCut: number;
  readonly serverRestarts: number;
  /** A bucket or a stream does not answer for some seconds. */
  readonly outage: number;
  readonly outageMs: readonly [number, number];
  /** The same, but what it was asked meanwhile is done afterwards. */
  readonly stall: number;
  /** Owners read their logs so late; scenes alone have that. */
  readonly readsLateMs: number;
  /** Another leader of a stream, with another clock. */
  readonly leaderChanges: number;
  readonly skewMsMax: number;
  /** Chance per call. */
  readonly callFails: number;
  readonly callHangs: number;
  readonly forged: number;
  readonly garbage: number;
  /** Chance per command. */
  readonly rejects: number;
  readonly defers: number;
  /** Chance that a timer fires twice. */
  readonly doubleTimers: number;
  /** Chance that somebody cancels just before the end is stored. */
  readonly lateCancels: number;
  /** Chance that a request is made twice. */
  readonly doubleRequests: number;
  /** Chance per look of people at a run that somebody does what nothing waits for. */
  readonly bothers: number;
  /** Steps and runs have no timeouts: only recovery helps. */
  readonly endless: boolean;
  /** No faults after this. */
  readonly healsMs: number;
  readonly isQuiet: boolean;
}

/** The faults of a seed. */
export function toFaults(random: Random): Faults {
  const isQuiet = random.chance(0.1);
  const on = (p: number): number => (random.chance(0.5) && !isQuiet ? random.next() * p : 0);
  const long = random.next();
  return {
    drop: on(0.15),
    delayMsMax: random.int(1, 40),
    orchestratorDies: on(0.2),
    orchestratorStops: on(0.1),
    stopMs: long < 0.85 ? [200, 6_000] : long < 0.96 ? [20_000, 40_000] : [280_000, 320_000],
    orchestratorLeaves: on(0.1),
    sidecarDies: on(0.2),
    sidecarStops: on(0.1),
    awayMsMax: random.pick([200, 2_000, 20_000]),
    diesAtSend: on(0.02),
    connectionCut: on(0.2),
    serverRestarts: on(0.1),
    outage: on(0.1),
    outageMs: random.chance(0.9) ? [500, 9_000] : [20_000, 45_000],
    stall: on(0.1),
    readsLateMs: 0,
    leaderChanges: on(0.1),
    skewMsMax: isQuiet ? 0 : random.pick([0, 50, 600]),
    callFails: on(0.5),
    callHangs: on(0.1),
    forged: on(0.2),
    garbage: on(0.2),
    rejects: on(0.03),
    defers: on(0.03),
    doubleTimers: on(0.3),
    lateCancels: on(0.3),
    doubleRequests: on(0.5),
    bothers: on(0.15),
    endless: random.chance(0.5),
    healsMs: random.int(3_000, 30_000),
    isQuiet,
  };
}

/** Nothing fails. */
export const quietFaults: Faults = {
  drop: 0,
  delayMsMax: 5,
  orchestratorDies: 0,
  orchestratorStops: 0,
  stopMs: [0, 0],
  orchestratorLeaves: 0,
  sidecarDies: 0,
  sidecarStops: 0,
  awayMsMax: 200,
  diesAtSend: 0,
  connectionCut: 0,
  serverRestarts: 0,
  outage: 0,
  outageMs: [0, 0],
  stall: 0,
  readsLateMs: 0,
  leaderChanges: 0,
  skewMsMax: 0,
  callFails: 0,
  callHangs: 0,
  forged: 0,
  garbage: 0,
  rejects: 0,
  defers: 0,
  doubleTimers: 0,
  lateCancels: 0,
  doubleRequests: 0,
  bothers: 0,
  endless: true,
  healsMs: 0,
  isQuiet: true,
};
