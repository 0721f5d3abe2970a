import { remembered } from "./remembered.ts";
import { methodToken, serviceToken, splitMethod } from "./tokens.ts";
import { triggerNames } from "./triggerSubjects.ts";
import type { TriggerNames } from "./triggerSubjects.ts";

export { methodToken, serviceToken, splitMethod } from "./tokens.ts";

/** Priority group of every task consumer: the sidecar with the fewest tasks in hands is served first, by the priority of its requests. */
export const byLoadGroup = "load";

/**
 * The NATS grammar shared by orchestrators and sidecars: every subject, stream and bucket name is built here. Pure: strings in,
 * strings out. `prefix` is "sidestep" unless configured; upper case in stream and bucket names.
 */
export interface Names extends TriggerNames {
  readonly tasksStream: string;
  readonly timersStream: string;
  readonly keysBucket: string;
  readonly partitionsBucket: string;
  readonly catalogBucket: string;
  readonly definitionsBucket: string;
  readonly limitsBucket: string;
  readonly schedulesBucket: string;
  readonly payloadsStream: string;
  readonly auditStream: string;
  /** Is the subject one of ours, that nobody else may publish to? */
  isOwn(subject: string): boolean;
  logStream(partition: number): string;
  /** Stored subject of what orchestrators write about a run. */
  eventSubject(partition: number, runId: string): string;
  /** Stored subject of the outcomes of a run; nobody publishes to it directly. */
  outcomeSubject(partition: number, runId: string): string;
  /** Both of them. */
  runSubjects(partition: number, runId: string): string;
  /** Every subject an orchestrator may publish to in a partition's log. */
  logSubjects(partition: number): string;
  /** Record of who owns the partition, in its log. */
  ownerSubject(partition: number): string;
  /** Where a sidecar of `service` publishes outcomes; the log renames it to `outcomeSubject`. */
  outSubject(service: string, partition: number, runId: string): string;
  /** All subjects of outcomes of a partition, and what the log stream makes of them. */
  outTransform(partition: number): { readonly src: string; readonly dest: string };
  timerSubject(partition: number, runId: string, number: number): string;
  /** Schedule of the end of a closed attempt's time; `id` is one token. */
  expirySubject(partition: number, runId: string, id: string): string;
  /** All schedules of a run. */
  timersOfRun(partition: number, runId: string): string;
  /** Pending and fired ones of all runs of a partition. */
  timersOfAll(partition: number): string;
  /** Where cancellations of schedules are stored for a moment. */
  cancelSubject(partition: number): string;
  /** Over which a log on replicas receives its fired timers. */
  timerSourceSubject(partition: number): string;
  /** Where a fired timer lands in the timer stream, before the log sources it. */
  dueSubject(partition: number, runId: string): string;
  dueTransform(partition: number): { readonly src: string; readonly dest: string };
  timerSubjects(): readonly string[];
  taskSubject(method: string): string;
  /** All tasks of one service. */
  taskFilter(service: string): string;
  tasksSubjects(): string;
  /** Durable consumer of a service's tasks. */
  taskConsumer(service: string): string;
  /** Tasks of a method with a limit; not among those of its service. */
  limitedSubject(method: string): string;
  /** Durable consumer of those. */
  limitedConsumer(method: string): string;
  /** Chunk `n` of a payload of a run that `service` wrote; "_" is the front door. */
  payloadSubject(service: string, runId: string, id: string, n: number): string;
  /** All payloads of a run, whoever wrote them, or those of one service. */
  payloadsOfRun(runId: string, service?: string): string;
  payloadSubjects(): string;
  /** An entry of the audit. */
  auditSubject(id: string): string;
  auditSubjects(): string;
  askSubject(service: string, partition: number): string;
  asksOfPartition(partition: number): string;
  waitSubject(partition: number): string;
  controlSubject(service: string): string;
  /** Where a service's sidecar asks for an rpc of an orchestrator. */
  relaySubject(service: string): string;
  relays(): string;
  /** Where a service's sidecar asks for a method of another service; "*" for the caller: whoever it is. */
  meshSubject(called: string, caller: string): string;
  /** Where it asks whether such a call is under way. */
  meshAskSubject(called: string, caller: string): string;
  beatSubject(orchestrator: string): string;
  beats(): string;
}

/** The service whose tasks a durable consumer gives out, those of a method with a limit included. */
export function serviceOfConsumer(consumer: string): string {
  return (consumer.split("--")[0] ?? "").replaceAll("-", ".");
}

/** The name of the method in a subject of tasks, limited or not. */
export const methodIn = remembered((taskSubject) => taskSubject.split(".")[3] ?? "");

/** What a stored log subject says; undefined for a subject that is not of a run. */
export function parseLogSubject(subject: string): { readonly runId: string; readonly kind: "e" | "o" } | undefined {
  const end = subject.lastIndexOf(".");
  const kind = subject.slice(end + 1);
  if (kind !== "e" && kind !== "o") return undefined;
  const start = subject.lastIndexOf(".", end - 1);
  return { runId: subject.slice(start + 1, end), kind };
}

/** The names under a prefix of lower-case letters, digits and dashes. */
export function toNames(prefix = "sidestep"): Names {
  const upper = prefix.toUpperCase().replaceAll("-", "_");
  const taskSubject = (method: string): string => {
    const { service, name } = splitMethod(method);
    return `${prefix}.task.${serviceToken(service)}.${name}`;
  };
  return {
    tasksStream: `${upper}_TASKS`,
    timersStream: `${upper}_TIMERS`,
    keysBucket: `${upper}_KEYS`,
    partitionsBucket: `${upper}_PARTITIONS`,
    catalogBucket: `${upper}_CATALOG`,
    definitionsBucket: `${upper}_DEFINITIONS`,
    limitsBucket: `${upper}_LIMITS`,
    schedulesBucket: `${upper}_SCHEDULES`,
    ...triggerNames(prefix, upper),
    payloadsStream: `${upper}_PAYLOADS`,
    auditStream: `${upper}_AUDIT`,
    auditSubject: (id) => `${prefix}.audit.${id}`,
    auditSubjects: () => `${prefix}.audit.*`,
    isOwn: (subject) => subject === prefix || subject.startsWith(`${prefix}.`),
    logStream: (partition) => `${upper}_LOG_${partition}`,
    eventSubject: (partition, runId) => `${prefix}.log.${partition}.${runId}.e`,
    outcomeSubject: (partition, runId) => `${prefix}.log.${partition}.${runId}.o`,
    runSubjects: (partition, runId) => `${prefix}.log.${partition}.${runId}.*`,
    logSubjects: (partition) => `${prefix}.log.${partition}.>`,
    ownerSubject: (partition) => `${prefix}.log.${partition}._owner`,
    outSubject: (service, partition, runId) => `${prefix}.out.${serviceToken(service)}.${partition}.${runId}`,
    outTransform: (partition) => ({
      src: `${prefix}.out.*.${partition}.*`,
      dest: `${prefix}.log.${partition}.{{wildcard(2)}}.o`,
    }),
    timerSubject: (partition, runId, number) => `${prefix}.timer.${partition}.${runId}.${number}`,
    expirySubject: (partition, runId, id) => `${prefix}.timer.${partition}.${runId}.x${id}`,
    timersOfRun: (partition, runId) => `${prefix}.timer.${partition}.${runId}.*`,
    timersOfAll: (partition) => `${prefix}.*.${partition}.>`,
    cancelSubject: (partition) => `${prefix}.timer.${partition}._cancel`,
    timerSourceSubject: (partition) => `${prefix}.source.${partition}`,
    dueSubject: (partition, runId) => `${prefix}.due.${partition}.${runId}`,
    dueTransform: (partition) => ({
      src: `${prefix}.due.${partition}.*`,
      dest: `${prefix}.log.${partition}.{{wildcard(1)}}.e`,
    }),
    timerSubjects: () => [`${prefix}.timer.>`, `${prefix}.due.>`],
    taskSubject,
    taskFilter: (service) => `${prefix}.task.${serviceToken(service)}.*`,
    tasksSubjects: () => `${prefix}.task.>`,
    taskConsumer: (service) => serviceToken(service),
    limitedSubject: (method) => `${taskSubject(method)}.limited`,
    limitedConsumer: (method) => methodToken(method),
    payloadSubject: (service, runId, id, n) => `${prefix}.payload.${serviceToken(service)}.${runId}.${id}.${n}`,
    payloadsOfRun: (runId, service = "*") => `${prefix}.payload.${serviceToken(service)}.${runId}.>`,
    payloadSubjects: () => `${prefix}.payload.>`,
    askSubject: (service, partition) => `${prefix}.ask.${serviceToken(service)}.${partition}`,
    asksOfPartition: (partition) => `${prefix}.ask.*.${partition}`,
    waitSubject: (partition) => `${prefix}.wait.${partition}`,
    controlSubject: (service) => `${prefix}.control.${serviceToken(service)}`,
    relaySubject: (service) => `${prefix}.relay.${serviceToken(service)}`,
    relays: () => `${prefix}.relay.*`,
    meshSubject: (called, caller) => `${prefix}.mesh.${serviceToken(called)}.${serviceToken(caller)}`,
    meshAskSubject: (called, caller) => `${prefix}.mesh.${serviceToken(called)}.${serviceToken(caller)}.ask`,
    beatSubject: (orchestrator) => `${prefix}.beat.${orchestrator}`,
    beats: () => `${prefix}.beat.*`,
  };
}
