import type { LogMessage } from "../../../orchestrator/src/processor/ports.ts";
import type { World } from "./world.ts";

/** What the server answers to a publish. */
export type Stored =
  | { readonly kind: "stored"; readonly sequence: number }
  /** The expectation did not hold. */
  | { readonly kind: "conflict" };

/** The log of a partition; `messages` has also what has been removed. */
export interface Stream {
  readonly messages: readonly LogMessage[];
  /** What its leader's clock is ahead of true time. */
  skewMs: number;
  append(subject: string, data: Uint8Array, more: { readonly id?: string; readonly expected?: number }): Stored;
  first(subject: string): LogMessage | undefined;
  last(subject: string): LogMessage | undefined;
  of(subjects: readonly string[]): readonly LogMessage[];
  /** Position of the first message; behind the last one when there is none. */
  head(): number;
  /** Removes everything up to a position. */
  cutHead(through: number): void;
  /** Removes what a subject has up to a position. */
  purge(subject: string, through: number): void;
  isGone(sequence: number): boolean;
  onAppend(listener: () => void): void;
}

/** Ids are remembered for so long. */
export const dedupeMs = 120_000;

/** An empty stream. */
export function openStream(world: World): Stream {
  const messages: LogMessage[] = [];
  const bySubject = new Map<string, LogMessage[]>();
  const ids = new Map<string, { readonly atMs: number; readonly sequence: number }>();
  const listeners: (() => void)[] = [];
  const gone = new Set<number>();
  const stream: Stream = {
    messages,
    skewMs: 0,
    append(subject, data, { id, expected }) {
      const { nowMs } = world.scheduler;
      const of = bySubject.get(subject) ?? [];
      if (expected !== undefined && (of.at(-1)?.sequence ?? 0) !== expected) return { kind: "conflict" };
      const known = id === undefined ? undefined : ids.get(id);
      if (known !== undefined && nowMs - known.atMs < dedupeMs) return { kind: "stored", sequence: known.sequence };
      const sequence = messages.length + 1;
      const message: LogMessage = { sequence, storedMs: Math.floor(nowMs + stream.skewMs), subject, data };
      messages.push(message);
      of.push(message);
      bySubject.set(subject, of);
      if (id !== undefined) ids.set(id, { atMs: nowMs, sequence });
      for (const listener of listeners) listener();
      return { kind: "stored", sequence };
    },
    first: (subject) => bySubject.get(subject)?.[0],
    last: (subject) => bySubject.get(subject)?.at(-1),
    of: (subjects) =>
      subjects.flatMap((subject) => bySubject.get(subject) ?? []).toSorted((a, b) => a.sequence - b.sequence),
    purge: (subject, through) => {
      const of = bySubject.get(subject) ?? [];
      for (const { sequence } of of) if (sequence <= through) gone.add(sequence);
      bySubject.set(
        subject,
        of.filter(({ sequence }) => sequence > through),
      );
    },
    head: () => 1 + messages.findIndex(({ sequence }) => !gone.has(sequence)) || messages.length + 1,
    cutHead: (through) => {
      for (const subject of bySubject.keys()) stream.purge(subject, through);
    },
    isGone: (sequence) => gone.has(sequence),
    onAppend: (listener) => void listeners.push(listener),
  };
  return stream;
}
