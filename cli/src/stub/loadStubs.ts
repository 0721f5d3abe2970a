import { readFileSync } from "node:fs";
import path from "node:path";
import type { DescService, Registry } from "@bufbuild/protobuf";
import { didYouMean } from "../../../orchestrator/src/compile/closest.ts";
import { diagnosticText } from "../../../orchestrator/src/compile/diagnosticText.ts";
import { parseImage } from "../../../orchestrator/src/compile/image.ts";
import { parseFixtures } from "../fixtures.ts";
import type { Fixtures } from "../fixtures.ts";
import { openAnswers } from "./stubAnswer.ts";
import type { AnswerCall } from "./stubAnswer.ts";

/** A service to answer for. */
export interface WantedStub {
  /** Full name. */
  readonly service: string;
  /** File of fixtures, absolute; undefined: all is made up. */
  readonly fixtures: string | undefined;
  readonly seed: number;
}

/** One that can be answered for. */
export interface LoadedStub {
  readonly service: DescService;
  readonly answer: AnswerCall;
}

/** What is wrong with one of them. */
export interface StubProblem {
  readonly stub: WantedStub;
  readonly message: string;
  readonly hint: string;
}

export type LoadedStubs =
  | { readonly kind: "stubs"; readonly stubs: readonly LoadedStub[] }
  | {
      readonly kind: "wrong";
      readonly problems: readonly StubProblem[];
      /** Fixtures that don't fit, as `sidestep check` shows what is wrong. */
      readonly said: readonly string[];
    };

/** Checks stubs and their fixtures against the contracts of an image. */
export function loadStubs(image: Uint8Array, wanted: readonly WantedStub[], color: boolean): LoadedStubs {
  const parsed = parseImage(image);
  if (parsed.kind === "wrong") return { kind: "wrong", problems: [], said: [parsed.message] };
  const problems: StubProblem[] = [];
  const said: string[] = [];
  const stubs: LoadedStub[] = [];
  for (const stub of wanted) {
    const service = parsed.services.find(({ typeName }) => typeName === stub.service);
    if (service === undefined) {
      const names = parsed.services.map(({ typeName }) => typeName);
      const near = didYouMean(stub.service, names);
      const hint = near === "" ? `the contracts have ${names.join(", ") || "no service"}` : near;
      problems.push({ stub, message: `no contract has the service ${stub.service}`, hint });
      continue;
    }
    const read = readFixturesOf(stub, service, parsed.registry, color);
    if (read.kind === "wrong") said.push(...read.said);
    else stubs.push({ service, answer: openAnswers(read.fixtures, stub.seed, parsed.registry) });
  }
  return problems.length + said.length > 0 ? { kind: "wrong", problems, said } : { kind: "stubs", stubs };
}

function readFixturesOf(
  { fixtures: file }: WantedStub,
  service: DescService,
  registry: Registry,
  color: boolean,
):
  | { readonly kind: "fixtures"; readonly fixtures: Fixtures }
  | { readonly kind: "wrong"; readonly said: readonly string[] } {
  if (file === undefined) return { kind: "fixtures", fixtures: new Map() };
  const relative = path.relative("", file);
  const shown = relative.startsWith("..") ? file : relative;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: "wrong", said: [`the fixtures of ${service.typeName} can't be read: ${reason}`] };
  }
  const parsed = parseFixtures(text, shown, registry);
  if (parsed.kind === "fixtures") return parsed;
  const options = { sources: new Map([[shown, text]]), color };
  return { kind: "wrong", said: parsed.diagnostics.map((one) => diagnosticText(one, options)) };
}
