import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { createFileRegistry, fromJson, toBinary } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { mapping } from "../orchestrator/src/compile/cel/testing/expression.ts";
import { compileRight, reserve } from "../orchestrator/src/compile/testing.ts";
import { advance } from "../orchestrator/src/engine/advance.ts";
import { loadPlan } from "../orchestrator/src/engine/loadPlan.ts";
import { newRun } from "../orchestrator/src/engine/state.ts";
import { eventAt, makeStarted, noLimits, outcomeAt, testRunId } from "../orchestrator/src/engine/testing/records.ts";
import { refusalFailure } from "../orchestrator/src/grpc/failure.ts";
import { lengthsMax, tooLong } from "../orchestrator/src/grpc/lengths.ts";
import { prepareStart } from "../orchestrator/src/processor/prepareStart.ts";
import type { StartRequest } from "../orchestrator/src/processor/front.ts";
import type { Limits } from "../proto/gen/sidestep/internal/v1/event.ts";
import { Plan } from "../proto/gen/sidestep/internal/v1/plan.ts";
import { ErrorInfo } from "../proto/gen/sidestep/internal/v1/rpc.ts";
import {
  contract,
  definition,
  expression,
  mebibyte,
  nested,
  output,
  padded,
  pause,
  queries,
  signals,
  times,
} from "./limits/definitions.ts";
import type { Case, Definition, Step } from "./limits/definitions.ts";
import { repositoryRoot } from "./support/program.ts";

// docs/limits.md: each row of its tables is shown at the limit and one over it, here or by the test that is named.

/** A file and the name of the test in it; empty: the file is the test. */
type Elsewhere = readonly [file: string, test: string];

const order = createFileRegistry(contract).getMessage("contract.v1.Order");

const one: Step = { kind: { $case: "let", value: { value: "1" } } };

/** What a run ends with as far as it goes by itself, each call answered with so many bytes that are kept apart. */
function ran(
  workflow: Definition,
  bounds: Partial<Limits>,
  input: JsonValue = {},
  answerBytes = 0,
  response = "contract.v1.Receipt",
): string {
  const { plan: compiled } = compileRight(contract, { output: response, workflow: { output, ...workflow } });
  const plan = loadPlan(Plan.encode(compiled).finish());
  const state = newRun(testRunId);
  if (order === undefined) throw new Error("no contract.v1.Order");
  const request = toBinary(order, fromJson(order, input));
  const { commands } = advance(
    plan,
    state,
    eventAt(1, 0, { $case: "runStarted", value: makeStarted({ request, bounds }) }),
  );
  for (const command of commands) {
    if (command.kind !== "publishTask") continue;
    const value = { service: "s", id: "1", chunks: 1, sizeBytes: answerBytes, runId: "", key: new Uint8Array() };
    advance(plan, state, outcomeAt(2, 1, command.attempt, { $case: "claimed", value }));
  }
  const status = state.ending?.ended.status;
  const [info] = status?.details ?? [];
  return status === undefined
    ? ""
    : `${info === undefined ? "" : ErrorInfo.decode(info.value).reason} ${status.message}`;
}

function lines(count: number): JsonValue {
  return { lines: times(count, () => ({ sku: "a" })) };
}

function letOf(value: string): Definition {
  return { step: [{ id: "kept", kind: { $case: "let", value: { value } } }], output: "cel.bind(v, kept, {})" };
}

/** A Part in a Part and so on, and an expression that looks at the first. */
function inEachOther(depth: number): string {
  let bytes: Uint8Array = new Uint8Array();
  for (let level = 1; level < depth; level++) {
    bytes = new BinaryWriter().tag(3, WireType.LengthDelimited).bytes(bytes).finish();
  }
  const found = mapping("{name: input.name}", "kinds.v1.Part", "kinds.v1.Part", bytes);
  return found.kind === "failed" ? `EXPRESSION ${found.message}` : "";
}

function length(name: keyof typeof lengthsMax): Case {
  const told = (count: number): string => {
    const found = tooLong({ [name]: "x".repeat(count) });
    return found === undefined ? "" : `${found.reason} ${found.message} ${found.metadata?.["limit"] ?? ""}`;
  };
  return { at: () => told(lengthsMax[name]), over: () => told(lengthsMax[name] + 1) };
}

/** What is said to a start whose key is so long, and to a signal whose id is. */
function keyed(count: number): string {
  const start = { request: new Uint8Array(), sameAs: new Uint8Array() } as Partial<StartRequest> as StartRequest;
  const prepared = prepareStart(noLimits, start, 0, { givenKey: "k".repeat(count) });
  const told = tooLong({ key: "x".repeat(count) });
  const refused = "kind" in prepared ? refusalFailure(prepared) : undefined;
  expect(refused?.message).toBe(told?.message);
  return told === undefined ? "" : `${told.reason} ${told.message}`;
}

const steering = "orchestrator/src/grpc/steering.test.ts";
const limiting: Elsewhere = [
  steering,
  "a limit is listed until it is lifted, replaces an earlier one, and bounds something",
];
const talking = "orchestrator/src/grpc/talking.test.ts";
const inSchedules = (name: string): Elsewhere => ["orchestrator/src/processor/schedules.test.ts", name];

const transcripts = (name: string): Elsewhere => [`orchestrator/src/engine/testdata/${name}.txt`, ""];

/** The answer of a call as the run's own, so large. */
function passedWhole(bytes: number): string {
  const whole = { step: [reserve], output: "reserve" };
  return ran(whole, { claimedBytesMax: bytes }, {}, bytes, "contract.v1.ReserveResponse");
}

const noBlock = { step: [pause] };

/** One for each thing that a row is about. */
const cases: Readonly<Record<string, Case | readonly Case[] | Elsewhere>> = {
  "A request that starts a run": [
    "orchestrator/src/grpc/server.test.ts",
    "a request over the limit is refused before the start, one at the limit is not",
  ],
  "A signal, a query, a form, a given result": [
    talking,
    "what is sent to a run is taken at the limit of payloads, and refused one byte over it",
  ],
  "`key`": { at: () => keyed(lengthsMax.key), over: () => keyed(lengthsMax.key + 1) },
  "`reason`, `comment`": length("reason"),
  "`step path`": length("step path"),
  "`name` of a signal; name of a method or workflow": length("name"),
  "`by`": length("by"),
  "`metadata`": length("metadata"),
  "Signals to one run that wait at an orchestrator to be stored": [
    "orchestrator/src/processor/lanes.test.ts",
    "at the limit a lane takes no more, and takes again once there is room",
  ],
  "Signals of a run that wait to be taken": transcripts("signal_waits"),
  "Messages of a streaming run that are kept": transcripts("yield"),
  "Held targets": [steering, "what is held is listed until it is released, and what is no target is refused"],
  "Limited methods": limiting,
  "Calls at a time, in a limit": limiting,
  "Rate, in a limit": limiting,
  "Attempts of a `Runs.Call`": [steering, "one durable call is a run of a plan made for it"],

  Image: { at: () => padded(32 * mebibyte), over: () => padded(32 * mebibyte + 1) },
  "Steps of a workflow, nested ones counted": definition(1_000, (count) => ({ step: times(count, () => pause) })),
  "Blocks in each other, the workflow's own counted": definition(16, (count) => ({ step: [nested(count - 1)] })),
  "Branches of a parallel, cases of a switch, catches of a try": [
    definition(100, (count) => ({
      step: [{ kind: { $case: "parallel", value: { branch: times(count, () => noBlock) } } }],
    })),
    definition(100, (count) => ({
      step: [
        {
          kind: {
            $case: "switch",
            value: { case: times(count, (index) => ({ when: `input.id == "${index}"`, ...noBlock })) },
          },
        },
      ],
    })),
    definition(100, (count) => ({
      step: [
        {
          kind: {
            $case: "try",
            value: { ...noBlock, catch: times(count, () => ({ when: "error.in_doubt", ...noBlock })) },
          },
        },
      ],
    })),
  ],
  "Attributes, kept headers, headers of a call, carries": [
    definition(50, (count) => ({
      attribute: times(count, (index) => ({ name: `a${index}`, value: "input.id" })),
      step: [pause],
    })),
    definition(50, (count) => ({ metadata: times(count, (index) => `x-a${index}`), step: [pause] })),
    definition(50, (count) => ({
      step: [
        {
          ...reserve,
          kind: {
            $case: "call",
            value: {
              ...reserve.kind.value,
              header: times(count, (index) => ({ key: `x-a${index}`, kind: { $case: "value", value: '"a"' } })),
            },
          },
        },
      ],
    })),
    definition(50, (count) => ({
      step: [
        {
          kind: {
            $case: "loop",
            value: {
              ...noBlock,
              maxIterations: 1,
              carry: times(count, (index) => ({ name: `c${index}`, type: "int64", init: "0", next: `c${index}` })),
            },
          },
        },
      ],
    })),
  ],
  "Rpcs that signal, rpcs that ask": [signals, queries].map((told) => ({ at: () => told(50), over: () => told(51) })),
  Names: definition(100, (count) => ({ step: [{ ...pause, title: "t".repeat(count) }] })),
  "`max_attempts`": definition(1_000, (count) => ({
    step: [{ ...reserve, kind: { $case: "call", value: { ...reserve.kind.value, retry: { maxAttempts: count } } } }],
  })),
  "A duration": definition(3_650, (count) => ({ timeout: `${count}d`, step: [pause] })),

  "Id of a schedule": inSchedules("an id of 100 characters is taken, one over is not"),
  "Nominal times of a backfill": inSchedules("a backfill of 1,000 nominal times is taken, one over is not"),
  "Spans of a schedule that are made up for at one time": inSchedules(
    "ten spans are made up for at a time, one more is refused",
  ),
  "Triggers of a workflow, those of its signals among them": [
    "orchestrator/src/compile/trigger.test.ts",
    "comes up to fifty times in a workflow, and no more",
  ],
  "What a rerun takes over": [
    "orchestrator/src/engine/rerun.test.ts",
    "results of 512 KiB and %i bytes together are taken over as far as %s",
  ],
  "The start of a rerun": [
    "orchestrator/src/engine/rerun.test.ts",
    "with a request of %i KiB a rerun begins no later than at %s, so that its start fits in a message",
  ],
  Text: expression(4_096, (count) => `"${"x".repeat(count - 2)}"`),
  Parts: expression(1_000, (count) => `[${"1,".repeat(count - 2)}1]`),
  "Brackets in each other": expression(64, (count) => `${"(".repeat(count - 1)}1${")".repeat(count - 1)}`),
  "Operations in a row": expression(256, (count) => `1${"+1".repeat(count - 1)}`),
  "Comprehensions in each other": expression(2, (count) => `${"[1].all(x, ".repeat(count)}true${")".repeat(count)}`),
  "Steps of one evaluation": {
    at: () => ran(letOf("input.lines.all(line, line.sku != 'b')"), { evaluationStepsMax: 20 }, lines(20)),
    over: () => ran(letOf("input.lines.all(line, line.sku != 'b')"), { evaluationStepsMax: 20 }, lines(21)),
  },
  "A value kept apart that is read": [
    "orchestrator/src/engine/payload.test.ts",
    "a child's response that is kept apart is loaded where an expression reads it, up to a size, and once",
  ],
  "Messages in each other, in what is read": { at: () => inEachOther(100), over: () => inEachOther(101) },

  "A request that is built, a kept value, a message that is emitted or yielded": {
    at: () => ran(letOf("b'12345678'"), { payloadBytesMax: 10 }),
    over: () => ran(letOf("b'123456789'"), { payloadBytesMax: 10 }),
  },
  "An answer of a call": {
    at: () => ran({ step: [reserve] }, { claimedBytesMax: 1_000 }, {}, 1_000),
    over: () => ran({ step: [reserve] }, { claimedBytesMax: 1_000 }, {}, 1_001),
  },
  "The run's own answer, built": {
    at: () => ran({ step: [one], output: '{note: "123456"}' }, { payloadBytesMax: 8 }),
    over: () => ran({ step: [one], output: '{note: "1234567"}' }, { payloadBytesMax: 8 }),
  },
  "The run's own answer, passed whole": {
    at: () => passedWhole(8 * mebibyte),
    over: () => passedWhole(8 * mebibyte + 1),
  },
  "Calls and waits that are open at one time": {
    at: () =>
      ran(
        { step: [{ kind: { $case: "parallel", value: { branch: times(3, () => ({ step: [pause] })) } } }] },
        { pendingStepsMax: 3 },
      ),
    over: () =>
      ran(
        { step: [{ kind: { $case: "parallel", value: { branch: times(4, () => ({ step: [pause] })) } } }] },
        { pendingStepsMax: 3 },
      ),
  },
  "Elements of a for_each": transcripts("for_each_limit"),
  "Passes of a for_each at one time": transcripts("for_each_limit"),
  "Passes of a loop": transcripts("loop_limit"),
  "Collected of an rpc that streams": [
    "sidecar/src/grpc/unaryClient.test.ts",
    "a stream at its caps is taken, one message or byte more is refused by the client and the stream is reset",
  ],
  "Name of a lock": {
    at: () => ran({ step: [{ ...pause, lock: '"x".replace("x", input.note)' }] }, {}, { note: "n".repeat(256) }),
    over: () => ran({ step: [{ ...pause, lock: '"x".replace("x", input.note)' }] }, {}, { note: "n".repeat(257) }),
  },
  "Subject of an emit": {
    at: () =>
      ran(
        {
          step: [
            { kind: { $case: "emit", value: { subject: "input.note", type: "contract.v1.Nothing", message: "{}" } } },
          ],
        },
        {},
        { note: "n".repeat(1_024) },
      ),
    over: () =>
      ran(
        {
          step: [
            { kind: { $case: "emit", value: { subject: "input.note", type: "contract.v1.Nothing", message: "{}" } } },
          ],
        },
        {},
        { note: "n".repeat(1_025) },
      ),
  },
  "An ended run, its history, payloads and key": [
    "orchestrator/src/processor/deletion.test.ts",
    "an ended run is deleted after its retention with all that it had; runs that live stay, and its key starts another",
  ],
  "A start that waits to be stored": ["orchestrator/src/engine/limits.test.ts", "a start stored %i ms after its issue"],
  "Events of a partition that wait": [
    "orchestrator/src/processor/lifecycle.test.ts",
    "starts are refused while too much waits to be folded",
  ],
  "Starts that wait to become durable, at one orchestrator": [
    "orchestrator/src/processor/lifecycle.test.ts",
    "of starts that come together only so many become durable at a time, the others are refused at once; later ones are taken",
  ],
};

/** A row of a table: its first cell up to a colon, its bound, and what one over it gets. */
const page = readFileSync(path.join(repositoryRoot, "docs/limits.md"), "utf8");
const rows = [...page.matchAll(/^\| (?!limit|what|---)(.+?) \| (.+?) \| (.+?) \|$/gm)].map(
  ([, name = "", most = "", over = ""]) => ({ name: name.replace(/:.*$/, ""), most, over }),
);
/** Rows that refuse nothing: what is over them is cut, forgotten, late or waits. */
const refusing = rows.filter(({ over }) => /[A-Z]{2,}/.test(over));

const configuration = readFileSync(path.join(repositoryRoot, "docs/configuration.md"), "utf8");
const units: Readonly<Record<string, number>> = { KiB: 1024, MiB: mebibyte };

test("every limit that refuses has its case, and every case its row", () => {
  const named = refusing.map(({ name }) => name);
  const shown = Object.keys(cases);
  expect(named.filter((name) => !shown.includes(name))).toEqual([]);
  expect(shown.filter((name) => !rows.some((row) => row.name === name))).toEqual([]);
});

test("a default that stands beside its setting is the setting's", () => {
  const bounds = rows.map(({ most }) => most).join("\n");
  const told = Array.from(bounds.matchAll(/`--([a-z-]+)` \(([\d,]+) ?([KM]iB)?\)/g));
  expect(told.length).toBeGreaterThan(8);
  for (const [, setting = "", number = "", unit = ""] of told) {
    const bytes = Number(number.replaceAll(",", "")) * (units[unit] ?? 1);
    const configured = new RegExp(`\`--${setting} <n>\`.*?\`(\\d+)\``).exec(configuration)?.[1];
    expect([setting, Number(configured)]).toEqual([setting, bytes]);
  }
});

/** What a message may name its limit: the setting, else the number, with its unit or in bytes. */
function namesOf(most: string): readonly string[] {
  const setting = /`(--[a-z-]+)`/.exec(most)?.[1];
  if (setting !== undefined) return [setting];
  const [, number = "", unit = ""] = /([\d,]+) ?([KM]iB)?/.exec(most) ?? [];
  const plain = number.replaceAll(",", "");
  return unit === "" ? [plain] : [`${plain} ${unit}`, String(Number(plain) * (units[unit] ?? 1))];
}

function isElsewhere(found: Case | readonly Case[] | Elsewhere): found is Elsewhere {
  return "length" in found && typeof found[0] === "string";
}

const here = refusing.flatMap(({ name, most, over: refusal }) => {
  const found = cases[name];
  if (found === undefined || isElsewhere(found)) return [];
  return [found].flat().map(({ at, over }) => ({ name, most, refusal, at, over }));
});
const elsewhere = Object.entries(cases).flatMap(([name, found]) =>
  isElsewhere(found) ? [{ name, where: found }] : [],
);

describe("at the limit it works, and one over is refused with a code and the limit's name", () => {
  test.each(here)("$name", ({ most, refusal, at, over }) => {
    expect(at()).toBe("");
    const told = over();
    expect(refusal).toContain(told.split(" ")[0]);
    expect(namesOf(most).filter((name) => told.includes(name))).not.toEqual([]);
  });

  test.each(elsewhere)("$name is shown by a test that exists", ({ where: [file, name] }) => {
    const absolute = path.join(repositoryRoot, file);
    expect(existsSync(absolute) && readFileSync(absolute, "utf8").includes(name)).toBe(true);
  });
});
