import type { Limits } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Layouts, Member } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { engineRevision } from "../engine/revision.ts";
import type { Archive } from "./archive.ts";
import { openAssignment } from "./assignment.ts";
import type { Assignment } from "./assignment.ts";
import type { Credentials } from "./credentials.ts";
import { toFront } from "./callers.ts";
import type { Front } from "./front.ts";
import { noDrift } from "./drift.ts";
import type { Drift } from "./drift.ts";
import { openHeldBack } from "./heldBack.ts";
import type { HeldBack } from "./heldBack.ts";
import type { HoldingOptions } from "./holding.ts";
import { partitionCount } from "../../../proto/wire/layout.ts";
import { openLogClock } from "./logClock.ts";
import { markEveryMs, openPassed } from "./passed.ts";
import type { Passed } from "./passed.ts";
import { defaultBounds, zeroCounts } from "./ownership.ts";
import { openPortions } from "./portions.ts";
import type { Bounds, Counts } from "./ownership.ts";
import type {
  Beats,
  Control,
  HoldRecord,
  Keys,
  Leases,
  Members,
  Messages,
  PartitionLog,
  Payloads,
  Plans,
  Questions,
  Tasks,
  Timers,
  TurnObserver,
  Workflows,
} from "./ports.ts";

/** The outside world of the processor. */
export interface Ports {
  readonly logOf: (partition: number) => PartitionLog;
  readonly tasks: Tasks;
  readonly timers: Timers;
  readonly control: Control;
  readonly leases: Leases;
  readonly beats: Beats;
  readonly members: Members;
  readonly keys: Keys;
  readonly payloads: Payloads;
  readonly holds: HoldRecord;
  readonly messages: Messages;
  readonly questions: Questions;
  readonly hearsSinceMs: () => number | undefined;
}

export interface ProcessorOptions {
  /** Id of this orchestrator, never used before: one NATS token. */
  readonly orchestrator: string;
  /** What the other orchestrators and their operators are told of it. */
  readonly member: Pick<Member, "version" | "address">;
  readonly layouts: Layouts;
  readonly ports: Ports;
  readonly plans: Plans;
  /** What children are started of. */
  readonly workflows: Workflows;
  readonly credentials: Credentials;
  readonly observer: TurnObserver;
  /** Keeps ended runs before they are deleted; undefined: they just go. */
  readonly archive?: Archive | undefined;
  /** Whether services that run fit what is called; undefined: they do. */
  readonly drift?: Drift | undefined;
  /** Pinned into every run that starts here. */
  readonly limits: Limits;
  /** Bytes of a request that starts a run. */
  readonly requestBytesMax: number;
  /** Messages between the head of a partition's log and its checkpoint from which on starts are refused. */
  readonly backlogMax: number;
  /** Starts that are being made durable at one time, from which on others are refused. */
  readonly startsMax: number;
  readonly now: () => number;
  /** Unguessable bytes: run ids are made of them. */
  readonly randomBytes: (count: number) => Uint8Array;
  readonly logger: Log;
  /** False: serves callers and owns nothing. */
  readonly ownsPartitions?: boolean;
  readonly bounds?: Partial<Bounds>;
}

const announceEveryMs = 10_000;

/** The heart: starts runs, works on the partitions it owns, answers who waits. Disposing of it hands everything over. */
export interface Processor extends AsyncDisposable {
  readonly front: Front;
  readonly counts: Readonly<Counts>;
  /** Partitions that it works on now. */
  owned(): readonly number[];
  /** Messages of a partition's log that are not behind its checkpoint; undefined: nobody has seen it. */
  backlog(partition: number): number | undefined;
}

/** Opens it. It takes what partitions are free by itself, now and later. */
export function openProcessor(options: ProcessorOptions): Processor {
  const { ports, layouts, logger, now } = options;
  const counts = zeroCounts();
  const logs = Array.from({ length: partitionCount(layouts) }, (_, partition) => ports.logOf(partition));
  const logOf = (partition: number): PartitionLog => logs[partition] ?? ports.logOf(partition);
  const heads = new Map<number, number>();
  const heldBack = openHeldBack(ports.holds);
  const { assignment, passed } = assign(options, counts, logOf, logs.length, heldBack);
  const backlog = (partition: number): number | undefined => {
    const held = assignment.held(partition)?.partition;
    const head = Math.max(heads.get(partition) ?? 0, held === undefined ? 0 : held.position() - 1);
    const checkpoint = assignment.checkpointOf(partition);
    return checkpoint === undefined ? undefined : head - checkpoint;
  };
  const startedAtMs = now();
  const announce = (): void =>
    void ports.members
      .announce({ id: options.orchestrator, ...options.member, engineRevision, startedAtMs })
      .catch((error: unknown) => logger.warn("this orchestrator can't be announced now", { error }));
  announce();
  const announcing = setInterval(announce, announceEveryMs).unref();
  const onStored = (partition: number, sequence: number): void =>
    void heads.set(partition, Math.max(sequence, heads.get(partition) ?? 0));
  return {
    front: toFront({
      ...options,
      ...ports,
      logOf,
      backlog,
      onStored,
      held: (partition) => assignment.held(partition)?.partition,
    }),
    counts,
    owned: () => logs.flatMap((_, partition) => (assignment.held(partition) === undefined ? [] : [partition])),
    backlog,
    [Symbol.asyncDispose]: async () => {
      clearInterval(announcing);
      passed[Symbol.dispose]();
      await assignment.release();
      heldBack[Symbol.dispose]();
      await ports.members.withdraw(options.orchestrator).catch(() => undefined);
    },
  };
}

/** Takes and works on what partitions are free. */
function assign(
  options: ProcessorOptions,
  counts: Counts,
  logOf: (partition: number) => PartitionLog,
  partitions: number,
  heldBack: HeldBack,
): { readonly assignment: Assignment; readonly passed: Passed } {
  const { ports, logger } = options;
  const bounds = { ...defaultBounds, ...options.bounds };
  const portions = openPortions(bounds.duePortion, bounds.dueLoadsMax);
  const clock = openLogClock(options.now, (offsetMs) =>
    logger.warn("this machine's clock and that of the streams are apart; synchronise them", { offsetMs }),
  );
  const passed = openPassed({
    ...options,
    logs: Array.from({ length: partitions }, (_, partition) => logOf(partition)),
    everyMs: markEveryMs([bounds.retentionMs, bounds.retentionFailedMs ?? 0]),
    logNow: () => clock.now(),
    durableOf: (partition) => assignment.durableOf(partition),
  });
  const drift = options.drift ?? noDrift;
  const toHolding = (partition: number): HoldingOptions => {
    const log = logOf(partition);
    const { passedMs } = passed;
    const shared = {
      ...options,
      ...ports,
      logOf,
      partition,
      log,
      heldBack,
      clock,
      counts,
      bounds,
      portions,
      passedMs,
      drift,
    };
    return { ...shared, toGround: (own) => ({ ...shared, ...own, logger: logger.with({ partition }) }) };
  };
  const assignment = openAssignment({
    ...options,
    ...ports,
    partitions: options.ownsPartitions === false ? 0 : partitions,
    silenceMs: bounds.silenceMs,
    toHolding,
    onHeld: (partition, { partition: working }) => {
      counts.takeovers++;
      return ports.questions.serve(partition, {
        ask: (ask) => working.ask(ask),
        wait: (request, tell) => void working.wait(request, false, tell),
      });
    },
  });
  return { assignment, passed };
}
