import { randomUUID } from "node:crypto";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Limits } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Layouts, Member } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { engineRevision } from "../engine/revision.ts";
import { unlessAborted } from "./abort.ts";
import { openAssignment } from "./assignment.ts";
import type { Assignment } from "./assignment.ts";
import type { Credentials } from "./credentials.ts";
import type { Front, RunRequest, Unavailable, Unknown } from "./front.ts";
import type { HoldingOptions } from "./holding.ts";
import { inspectRun, readHistory, readRecords } from "./inspect.ts";
import type { InspectGround } from "./inspect.ts";
import { partitionCount, partitionOf } from "./layout.ts";
import { openLogClock } from "./logClock.ts";
import { defaultBounds, zeroCounts } from "./ownership.ts";
import type { Bounds, Counts } from "./ownership.ts";
import type {
  Beats,
  Control,
  Keys,
  Leases,
  Members,
  PartitionLog,
  Plans,
  Questions,
  Tasks,
  Timers,
  TurnObserver,
} from "./ports.ts";
import { isVoid, toStart } from "./start.ts";
import { waitFor } from "./wait.ts";
import type { WaitGround } from "./wait.ts";

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
  readonly questions: Questions;
  readonly isConnected: () => boolean;
}

export interface ProcessorOptions {
  /** Id of this orchestrator, never used before: one NATS token. */
  readonly orchestrator: string;
  /** What the other orchestrators and their operators are told of it. */
  readonly member: Pick<Member, "version" | "address">;
  readonly layouts: Layouts;
  readonly ports: Ports;
  readonly plans: Plans;
  readonly credentials: Credentials;
  readonly observer: TurnObserver;
  /** Pinned into every run that starts here. */
  readonly limits: Limits;
  /** Messages between the head of a partition's log and its checkpoint from which on starts are refused. */
  readonly backlogMax: number;
  readonly now: () => number;
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
  const { ports, layouts, logger } = options;
  const bounds = { ...defaultBounds, ...options.bounds };
  const counts = zeroCounts();
  const partitions = partitionCount(layouts);
  const clock = openLogClock(options.now, (offsetMs) =>
    logger.warn("this machine's clock and that of the streams are apart; synchronise them", { offsetMs }),
  );
  const heads = new Map<number, number>();
  const logs = Array.from({ length: partitions }, (_, partition) => ports.logOf(partition));
  const logOf = (partition: number): PartitionLog => logs[partition] ?? ports.logOf(partition);

  const toHolding = (partition: number): HoldingOptions => ({
    partition,
    orchestrator: options.orchestrator,
    leases: ports.leases,
    log: logOf(partition),
    logger,
    observer: options.observer,
    toGround: (own) => ({
      ...own,
      ...options,
      ...ports,
      partition,
      log: logOf(partition),
      clock,
      counts,
      bounds,
      logger: logger.with({ partition }),
    }),
  });
  const assignment: Assignment = openAssignment({
    orchestrator: options.orchestrator,
    partitions: options.ownsPartitions === false ? 0 : partitions,
    leases: ports.leases,
    beats: ports.beats,
    isConnected: ports.isConnected,
    silenceMs: bounds.silenceMs,
    logger,
    toHolding,
    onHeld: (partition, { partition: working }) => {
      counts.takeovers++;
      return ports.questions.serve(partition, {
        ask: (ask) => working.ask(ask),
        wait: (request, tell) => void working.wait(request, false, tell),
      });
    },
  });
  const backlog = (partition: number): number | undefined => {
    const held = assignment.held(partition)?.partition;
    const head = Math.max(heads.get(partition) ?? 0, held === undefined ? 0 : held.position() - 1);
    const checkpoint = assignment.checkpointOf(partition);
    return checkpoint === undefined ? undefined : head - checkpoint;
  };
  const startedAtMs = options.now();
  const announce = (): void =>
    void ports.members
      .announce({ id: options.orchestrator, ...options.member, engineRevision, startedAtMs })
      .catch((error: unknown) => logger.warn("this orchestrator can't be announced now", { error }));
  announce();
  const announcing = setInterval(announce, announceEveryMs).unref();
  return {
    front: toFront(options, logOf, { assignment, backlog, heads }),
    counts,
    owned: () => logs.flatMap((_, partition) => (assignment.held(partition) === undefined ? [] : [partition])),
    backlog,
    [Symbol.asyncDispose]: async () => {
      clearInterval(announcing);
      await assignment.release();
      await ports.members.withdraw(options.orchestrator).catch(() => undefined);
    },
  };
}

function toFront(
  options: ProcessorOptions,
  logOf: (partition: number) => PartitionLog,
  {
    assignment,
    backlog,
    heads,
  }: {
    readonly assignment: Assignment;
    readonly backlog: (partition: number) => number | undefined;
    readonly heads: Map<number, number>;
  },
): Front {
  const { ports, layouts } = options;
  const waiting = {
    layouts,
    held: (partition: number) => assignment.held(partition)?.partition,
    questions: ports.questions,
  };
  const inspecting: InspectGround = { layouts, logOf, plans: options.plans, credentials: options.credentials };
  const start = toStart({
    ...options,
    logOf,
    keys: ports.keys,
    backlog,
    onStored: (partition, sequence) => void heads.set(partition, Math.max(sequence, heads.get(partition) ?? 0)),
  });
  return {
    start,
    wait: async (runId, signal) => {
      const waited = await waitFor(waiting, runId, 0, signal);
      if (waited === "aborted") return { kind: "aborted" };
      return waited.$case === "ended" ? { kind: "ended", ended: waited.value } : { kind: "unknown" };
    },
    get: (runId) =>
      orUnavailable(async () => {
        const run = await inspectRun(inspecting, runId);
        return run === undefined ? { kind: "unknown" } : { kind: "run", run };
      }),
    history: (runId, after, limit) =>
      orUnavailable(async () => {
        const history = await readHistory(inspecting, runId, after, limit);
        return history === undefined ? { kind: "unknown" } : { kind: "history", ...history };
      }),
    records: (runId) =>
      orUnavailable(async () => {
        const found = await readRecords(inspecting, runId);
        return found === undefined ? { kind: "unknown" } : { kind: "records", ...found };
      }),
    request: (runId, request, signal) =>
      unlessAborted(signal, orUnavailable(() => ask(options, logOf, waiting, runId, request, signal)), late),
  };
}

const late: Unavailable = { kind: "unavailable", message: "nobody said in time what became of the request; it may be stored" };

/** Stores an operator's request and waits for its effect. */
async function ask(
  { layouts }: ProcessorOptions,
  logOf: (partition: number) => PartitionLog,
  waiting: WaitGround,
  runId: RunId,
  request: RunRequest,
  signal: AbortSignal,
): Promise<{ readonly kind: "done"; readonly ignored: boolean } | Unknown | Unavailable> {
  const partition = partitionOf(layouts, runId);
  const first = partition === undefined ? undefined : await logOf(partition).firstEvent(runId);
  if (partition === undefined || first === undefined || isVoid(first)) return { kind: "unknown" };
  const { id, event } = toEvent(runId, request);
  const written = await logOf(partition).append(runId, id, event, { signal });
  if (written.kind !== "stored") return late;
  const waited = await waitFor(waiting, runId, written.sequence, signal);
  if (waited === "aborted" || waited.$case === "ended") return late;
  return waited.$case === "folded" ? { kind: "done", ignored: waited.value.ignored } : { kind: "unknown" };
}

function toEvent(runId: RunId, { kind, event }: RunRequest): { readonly id: string; readonly event: Uint8Array } {
  const requestId = event.requestId === "" ? randomUUID() : event.requestId;
  const value = { ...event, requestId };
  const id = `${runId}/request/${requestId}`;
  const encode = (oneOf: NonNullable<Event["kind"]>): { id: string; event: Uint8Array } => ({
    id,
    event: Event.encode({ kind: oneOf }).finish(),
  });
  switch (kind) {
    case "cancel":
      return encode({ $case: "cancelRequested", value });
    case "terminate":
      return encode({ $case: "terminateRequested", value });
    case "retry":
      return encode({ $case: "retryRequested", value: { step: "", compensation: false, ...value } });
    case "fail":
      return encode({ $case: "failRequested", value: { step: "", compensation: false, ...value } });
  }
}

async function orUnavailable<T>(read: () => Promise<T>): Promise<T | Unavailable> {
  try {
    return await read();
  } catch (error) {
    return { kind: "unavailable", message: errorText(error) };
  }
}
