import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Span } from "../projection/span.ts";
import { openSpanExport } from "./spanExport.ts";
import type { Reproject, SpanExport, SpanExportBounds } from "./spanExport.ts";
import type { SpanNews } from "./spanSender.ts";
import type { SpanSinkAnswer } from "./spanSink.ts";

function makeSpan(name: string): Span {
  return {
    traceId: "a".repeat(32),
    spanId: "b".repeat(16),
    parentSpanId: undefined,
    parentIsRemote: false,
    tracestate: "",
    name,
    kind: "internal",
    startMs: 0,
    endMs: 1,
    status: { kind: "unset" },
    attributes: {},
    events: [],
    resource: { kind: "orchestrator" },
  };
}

interface Bench extends AsyncDisposable {
  readonly export: SpanExport;
  /** Names of the spans that were taken. */
  readonly taken: string[];
  readonly news: SpanNews[];
  readonly windows: string[];
  answer: (names: readonly string[]) => SpanSinkAnswer;
  settled(): Promise<void>;
}

function makeBench(bounds: Partial<SpanExportBounds> = {}, reproject?: Reproject): Bench {
  const bench: Omit<Bench, "export" | typeof Symbol.asyncDispose | "settled"> = {
    taken: [],
    news: [],
    windows: [],
    answer: () => ({ kind: "taken" }),
  };
  const spanExport = openSpanExport({
    sink: {
      export: async (spans) => {
        const names = spans.map((it) => it.name);
        const answer = bench.answer(names);
        if (answer.kind === "taken") bench.taken.push(...names);
        return answer;
      },
    },
    reproject: async (partition, window, signal) => {
      bench.windows.push(`${partition}:(${window.after}, ${window.upTo}]`);
      return reproject === undefined ? [] : reproject(partition, window, signal);
    },
    told: (news) => void bench.news.push(news),
    pause: () => turn(),
    bounds,
  });
  return Object.assign(bench, {
    export: spanExport,
    settled: () => spanExport.settled(new AbortController().signal),
    [Symbol.asyncDispose]: () => spanExport[Symbol.asyncDispose](),
  });
}

/** The spans of the events in a window, one each. */
const readAgain: Reproject = async (_, { after, upTo }) => {
  const spans: Span[] = [];
  for (let sequence = after + 1; sequence <= upTo; sequence += 1) spans.push(makeSpan(`again ${sequence}`));
  return spans;
};

test("the cursor stands before the oldest event whose spans are not taken, and follows the checkpoint after that", async () => {
  await using bench = makeBench();
  bench.export.add(0, 11, [makeSpan("b")]);
  bench.export.add(0, 10, [makeSpan("a")]);
  bench.export.add(1, 3, [makeSpan("other partition")]);
  expect(bench.export.tracedUpTo(0, 20)).toBe(9);
  expect(bench.export.tracedUpTo(0, 5)).toBe(5);
  await bench.settled();
  expect(bench.taken).toEqual(["b", "a", "other partition"]);
  expect(bench.export.tracedUpTo(0, 20)).toBe(20);
});

test("while the collector is away the cursor stands still, and everything goes out once it is back", async () => {
  await using bench = makeBench();
  let away = 3;
  bench.answer = () => (away-- > 0 ? { kind: "away", message: "nobody there" } : { kind: "taken" });
  bench.export.add(0, 10, [makeSpan("a")]);
  expect(bench.export.tracedUpTo(0, 20)).toBe(9);
  await bench.settled();
  expect(bench.taken).toEqual(["a"]);
  expect(bench.news).toEqual([{ kind: "away", message: "nobody there" }, { kind: "back" }]);
});

test("what does not fit in memory is projected from the log again, window by window, and the cursor waits for it", async () => {
  await using bench = makeBench({ pendingMax: 2, windowMax: 3 }, readAgain);
  let isAway = true;
  bench.answer = () => (isAway ? { kind: "away", message: "" } : { kind: "taken" });
  for (let sequence = 1; sequence <= 7; sequence += 1) bench.export.add(0, sequence, [makeSpan(`live ${sequence}`)]);
  expect(bench.export.tracedUpTo(0, 100)).toBe(0);
  isAway = false;
  await bench.settled();
  expect(bench.taken.toSorted()).toEqual([
    ...[3, 4, 5, 6, 7].map((it) => `again ${it}`),
    ...[1, 2].map((it) => `live ${it}`),
  ]);
  expect(bench.windows.filter((it, i, all) => all.indexOf(it) === i)).toEqual(["0:(2, 5]", "0:(5, 7]"]);
  expect(bench.export.tracedUpTo(0, 100)).toBe(100);
});

test("an event that is told late, while a later part of the log is read again, is not passed over", async () => {
  let late: (() => void) | undefined;
  await using bench = makeBench({ pendingMax: 1 }, (partition, window, signal) => {
    late?.();
    late = undefined;
    return readAgain(partition, window, signal);
  });
  let isAway = true;
  bench.answer = () => (isAway ? { kind: "away", message: "" } : { kind: "taken" });
  bench.export.add(0, 1, [makeSpan("live 1")]);
  bench.export.add(0, 8, [makeSpan("live 8")]);
  // Two spans never fit into a queue of one.
  late = () => bench.export.add(0, 5, ["live 5", "live 5 too"].map(makeSpan));
  isAway = false;
  await bench.settled();
  expect(bench.taken).toContain("again 5");
  expect(bench.taken).toContain("again 8");
  expect(bench.export.tracedUpTo(0, 20)).toBe(20);
});

test("a new owner goes on where the cursor stood", async () => {
  await using bench = makeBench({}, readAgain);
  bench.export.opened(4, { traced: 7, checkpoint: 9 });
  expect(bench.export.tracedUpTo(4, 12)).toBe(7);
  await bench.settled();
  expect(bench.taken).toEqual(["again 8", "again 9"]);
  expect(bench.export.tracedUpTo(4, 12)).toBe(12);
});

test("a log that can't be read is read again", async () => {
  let tries = 0;
  await using bench = makeBench({}, (partition, window, signal) => {
    tries += 1;
    return tries < 3 ? Promise.reject(new Error("no leader")) : readAgain(partition, window, signal);
  });
  bench.export.opened(0, { traced: 0, checkpoint: 1 });
  await bench.settled();
  expect(bench.taken).toEqual(["again 1"]);
  expect(bench.news.map((it) => it.kind)).toEqual(["unreadable", "unreadable"]);
});

test("one span that the collector can't take is told and does not hold up the others", async () => {
  await using bench = makeBench();
  bench.answer = (names) => (names.includes("bad") ? { kind: "refused", message: "too large" } : { kind: "taken" });
  bench.export.add(0, 1, ["a", "b", "bad", "c"].map(makeSpan));
  await bench.settled();
  expect(bench.taken.toSorted()).toEqual(["a", "b", "c"]);
  expect(bench.news).toEqual([{ kind: "refused", message: "too large", name: "bad" }]);
  expect(bench.export.tracedUpTo(0, 5)).toBe(5);
});

test("a partition that went to another owner is left to it", async () => {
  await using bench = makeBench();
  bench.answer = () => ({ kind: "away", message: "" });
  bench.export.add(0, 1, [makeSpan("a")]);
  bench.export.closed(0);
  await bench.settled();
  expect(bench.taken).toEqual([]);
});

test("a batch is bounded", async () => {
  const sizes: number[] = [];
  await using bench = makeBench({ batchMax: 4 });
  bench.answer = (names) => {
    sizes.push(names.length);
    return { kind: "taken" };
  };
  for (let sequence = 1; sequence <= 5; sequence += 1) bench.export.add(0, sequence, ["a", "b", "c"].map(makeSpan));
  await bench.settled();
  expect(sizes).toEqual([3, 3, 3, 3, 3]);
});

test("waiting for the end of an export ends with the wait's own signal", async () => {
  await using bench = makeBench();
  bench.answer = () => ({ kind: "away", message: "" });
  bench.export.add(0, 1, [makeSpan("a")]);
  const giveUp = new AbortController();
  const settled = bench.export.settled(giveUp.signal);
  giveUp.abort();
  await settled;
  expect(bench.export.tracedUpTo(0, 5)).toBe(0);
});
