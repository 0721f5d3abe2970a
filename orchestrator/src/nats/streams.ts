import { byLoadGroup } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";

/** Configuration of a stream as the JetStream API takes it; times are nanoseconds. */
export interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly [setting: string]: unknown;
}

/** Configuration of a durable consumer as the JetStream API takes it. */
export interface ConsumerConfig {
  readonly durable_name: string;
  readonly [setting: string]: unknown;
}

const second = 1_000_000_000;
const duplicateWindow = 120 * second;
/** A delivered task that was not extended for this long is delivered again. */
export const taskAckWaitMs = 7_000;
/** Tasks of one consumer that may be delivered and not acknowledged. */
export const tasksInHandsMax = 10_000;
/** The oldest are removed beyond it. */
const auditEntriesMax = 100_000;
/** What waits for a trigger that is paused, or gone, waits no longer. */
const eventsKeptDays = 30;
/** One more than that stays in its stream. */
const parkedMax = 20_000;
/** Longer than one is worked on; it is given out again then, as after a crash. */
const eventAckWaitSeconds = 15;
/** Of one trigger, given out and not acknowledged, over all orchestrators. */
const eventsInHandsMax = 10_000;
/** How long an entry of the catalog outlives its sidecar. */
const catalogTtlSeconds = 30;

/**
 * The truth of one partition. Whatever a sidecar could abuse by a mere header is off: rollup, time to live, schedules, batches. The
 * duplicate window is set by hand, since a stream with sources has none by default.
 */
export function logStream(names: Names, partition: number, replicas: number, durableSource: boolean): StreamConfig {
  const consumer = { name: timersConsumer(partition), deliver_subject: names.timerSourceSubject(partition) };
  return {
    ...fileStream(names.logStream(partition), replicas),
    subjects: [names.logSubjects(partition), names.outTransform(partition).src],
    subject_transform: names.outTransform(partition),
    sources: [
      {
        name: names.timersStream,
        subject_transforms: [names.dueTransform(partition)],
        ...(durableSource ? { consumer } : {}),
      },
    ],
    duplicate_window: duplicateWindow,
    allow_rollup_hdrs: false,
    allow_msg_ttl: false,
    allow_msg_schedules: false,
    allow_atomic: false,
  };
}

/** Pending timers, and what has fired until its run goes, for a week at the most. Rollup is forced on by schedules, so no sidecar may publish here. */
export function timersStream(names: Names, replicas: number): StreamConfig {
  return {
    ...fileStream(names.timersStream, replicas),
    subjects: names.timerSubjects(),
    duplicate_window: duplicateWindow,
    allow_msg_schedules: true,
    allow_msg_ttl: true,
  };
}

/**
 * Attempts to be carried out; tasks of services without a sidecar wait in it. No work queue: that removes each task as it is acknowledged, which costs more
 * than to store it. openTaskSweep does it.
 */
export function tasksStream(names: Names, replicas: number): StreamConfig {
  return {
    ...fileStream(names.tasksStream, replicas),
    subjects: [names.tasksSubjects()],
    duplicate_window: duplicateWindow,
  };
}

/** Chunks of what is too large for a message; the same chunk again replaces itself. */
export function payloadsStream(names: Names, replicas: number): StreamConfig {
  return {
    ...fileStream(names.payloadsStream, replicas),
    subjects: [names.payloadSubjects()],
    max_msgs_per_subject: 1,
    duplicate_window: duplicateWindow,
  };
}

/** Who steered what: the newest of it. Its bound is a number of entries, since one of bytes is set aside on the server's disk at once. */
export function auditStream(names: Names, replicas: number, retentionMs: number): StreamConfig {
  return {
    ...fileStream(names.auditStream, replicas),
    subjects: [names.auditSubjects()],
    max_msgs_per_subject: 1,
    max_msgs: auditEntriesMax,
    max_age: retentionMs * 1_000_000,
    duplicate_window: duplicateWindow,
  };
}

/**
 * What triggers wait for: what comes over HTTP, and `captured`, subjects that no other stream takes in. A message is gone once all triggers that it is
 * for have taken it; one that is for none is not kept.
 */
export function eventsStream(names: Names, replicas: number, captured: readonly string[]): StreamConfig {
  return {
    ...fileStream(names.eventsStream, replicas),
    subjects: [names.hookSubjects(), ...captured],
    retention: "interest",
    max_age: eventsKeptDays * 86_400 * second,
    duplicate_window: duplicateWindow,
  };
}

/** What triggers can't take, until somebody tries it again or drops it. Full, it takes no more: what it would have taken stays where it is. */
export function parkedStream(names: Names, replicas: number): StreamConfig {
  return {
    ...fileStream(names.parkedStream, replicas),
    subjects: [names.parkedSubjects()],
    max_msgs_per_subject: 1,
    max_msgs: parkedMax,
    discard: "new",
    duplicate_window: duplicateWindow,
  };
}

/** The consumer of a trigger, in whatever stream; it begins with what comes after it was made. */
export function triggerConsumerConfig(name: string, subjects: readonly string[]): ConsumerConfig {
  const [first = ""] = subjects;
  return {
    durable_name: name,
    ...(subjects.length === 1 ? { filter_subject: first } : { filter_subjects: subjects }),
    ack_policy: "explicit",
    ack_wait: eventAckWaitSeconds * second,
    max_deliver: -1,
    max_ack_pending: eventsInHandsMax,
    deliver_policy: "new",
  };
}

/** A bucket that sidecars write to: none of them can empty it for the others by a mere header. */
function sharedBucket(name: string, replicas: number, ttlSeconds = 0): StreamConfig {
  return { ...bucket(name, replicas, ttlSeconds), allow_rollup_hdrs: false };
}

/** A key-value bucket. Records may have a time to live of their own; `ttlSeconds` gives one to all. */
export function bucket(name: string, replicas: number, ttlSeconds = 0): StreamConfig {
  return {
    ...fileStream(`KV_${name}`, replicas),
    subjects: [`$KV.${name}.>`],
    max_msgs_per_subject: 1,
    discard: "new",
    deny_delete: true,
    allow_rollup_hdrs: true,
    allow_msg_ttl: true,
    max_age: ttlSeconds * second,
    duplicate_window: (ttlSeconds === 0 ? 120 : ttlSeconds) * second,
  };
}

/** An object store. */
export function objectStore(name: string, replicas: number): StreamConfig {
  return {
    ...fileStream(`OBJ_${name}`, replicas),
    subjects: [`$O.${name}.C.>`, `$O.${name}.M.>`],
    discard: "new",
    allow_rollup_hdrs: true,
  };
}

/** Every bucket and store but the one of partitions, which comes first. */
export function otherBuckets(names: Names, replicas: number): readonly StreamConfig[] {
  return [
    bucket(names.keysBucket, replicas),
    sharedBucket(names.catalogBucket, replicas, catalogTtlSeconds),
    sharedBucket(names.limitsBucket, replicas),
    bucket(names.schedulesBucket, replicas),
    bucket(names.triggersBucket, replicas),
    objectStore(names.definitionsBucket, replicas),
    payloadsStream(names, replicas),
  ];
}

/**
 * By which a log on replicas sources its fired timers: a plain source stands still for 10 s and more when only the leader of the timers
 * dies.
 */
export function timersSourceConsumer(names: Names, partition: number, replicas: number): ConsumerConfig {
  return {
    durable_name: timersConsumer(partition),
    deliver_subject: names.timerSourceSubject(partition),
    ack_policy: "flow_control",
    deliver_policy: "all",
    flow_control: true,
    idle_heartbeat: second,
    max_ack_pending: 1000,
    filter_subject: names.dueTransform(partition).src,
    num_replicas: replicas,
  };
}

/** The consumer from which all sidecars of a service pull. */
export function taskConsumer(names: Names, service: string): ConsumerConfig {
  return workConsumer(names.taskConsumer(service), names.taskFilter(service), tasksInHandsMax);
}

/**
 * The consumer from which they pull the tasks of a method with a limit. A task is acknowledged once its outcome is durable, so the server
 * itself keeps the number of calls, over all sidecars.
 */
export function limitedConsumer(names: Names, method: string, inHandsMax: number): ConsumerConfig {
  return workConsumer(names.limitedConsumer(method), names.limitedSubject(method), inHandsMax);
}

function workConsumer(name: string, filter: string, inHandsMax: number): ConsumerConfig {
  return {
    durable_name: name,
    filter_subject: filter,
    ack_policy: "explicit",
    ack_wait: (taskAckWaitMs / 1000) * second,
    max_deliver: -1,
    max_ack_pending: inHandsMax,
    deliver_policy: "all",
    priority_policy: "prioritized",
    priority_groups: [byLoadGroup],
  };
}

function fileStream(name: string, replicas: number): Omit<StreamConfig, "subjects"> & { readonly name: string } {
  return {
    name,
    storage: "file",
    retention: "limits",
    num_replicas: replicas,
    allow_direct: true,
    max_age: 0,
    max_bytes: -1,
    max_msgs: -1,
  };
}

function timersConsumer(partition: number): string {
  return `log${partition}`;
}
