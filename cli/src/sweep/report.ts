import { codeName } from "../../../proto/wire/status.ts";
import { exit } from "../failure.ts";
import type { ExitCode } from "../failure.ts";
import { CliFailure } from "../failure.ts";
import { stateName } from "../runText.ts";
import { readSimulation } from "../simulation/ground.ts";
import type { SimulationGround, SimulationOptions } from "../simulation/ground.ts";
import { simulatedLines } from "../simulation/tree.ts";
import { tableText } from "../table.ts";
import type { Terminal } from "../terminal.ts";
import { caseText, parseCase } from "./case.ts";
import { judge } from "./judge.ts";
import { playCase } from "./play.ts";
import type { Played } from "./play.ts";
import { sweep } from "./sweep.ts";
import type { Swept } from "./sweep.ts";

/** How `sidestep sweep` is asked to work. */
export interface SweepOptions extends SimulationOptions {
  readonly runsMax: number;
  /** One case alone, as a sweep has named it. */
  readonly case: string | undefined;
  readonly output: "table" | "json";
}

/** Sweeps a workflow and prints what it found; exit code 10 when a run is not as it has to be. Throws CliFailure. */
export async function sweepWorkflow(options: SweepOptions, terminal: Terminal): Promise<ExitCode> {
  const ground = await readSimulation(options, terminal);
  if (ground === undefined) return exit.findings;
  if (options.case !== undefined) return replayCase(ground, options.case, terminal);
  const startedMs = performance.now();
  const swept = sweep(ground, options.runsMax);
  if (options.output === "json") terminal.out(`${JSON.stringify(toJson(swept), undefined, 2)}\n`);
  else {
    terminal.out(tables(swept));
    terminal.out(`${summary(swept)}, ${((performance.now() - startedMs) / 1_000).toFixed(1)} s\n`);
    printSmallest(swept, options, terminal);
  }
  return swept.problems.length > 0 ? exit.findings : exit.ok;
}

function replayCase(ground: SimulationGround, text: string, terminal: Terminal): ExitCode {
  const one = parseCase(text);
  if (typeof one === "string")
    throw new CliFailure(exit.usage, `the case can't be read: ${one}`, "--case", "give it as a sweep prints it");
  const played = playCase(ground, one);
  if (played === undefined)
    throw new CliFailure(exit.usage, "the case's values do not fit their messages", "--case", "mend them");
  for (const line of linesOf(played, terminal)) terminal.out(`${line}\n`);
  const texts = judge(ground, played);
  for (const problem of texts) terminal.out(`wrong: ${problem}\n`);
  return texts.length > 0 ? exit.findings : exit.ok;
}

function tables({ faults, arms }: Swept): string {
  const rows = faults.map(({ site, fault, played }) => [site, fault, stateName(played.run.state), undoneOf(played)]);
  const ways = arms.map(({ arm, by }) => [arm, by === undefined ? "not reached" : caseOrPlain(caseText(by))]);
  const first = rows.length === 0 ? "" : `${tableText(["CALL", "FAILS", "THE RUN ENDS", "UNDONE"], rows)}\n`;
  return `${first}${ways.length === 0 ? "" : `${tableText(["ARM", "REACHED WITH"], ways)}\n`}`;
}

function caseOrPlain(text: string): string {
  return text === "{}" ? "nothing changed" : text;
}

function undoneOf({ run }: Played): string {
  return run.steps
    .filter(({ compensation, path }) => compensation && !path.includes("~undo/"))
    .map(({ path }) => path)
    .join(", ");
}

function summary({ runs, arms, problems, isCut }: Swept): string {
  const reached = arms.filter(({ by }) => by !== undefined).length;
  const wrong = problems.length === 0 ? "nothing wrong" : `${problems.length} wrong`;
  const cut = isCut ? ", and the bound was reached: --runs" : "";
  return `${runs} runs, ${reached} of ${arms.length} arms, ${wrong}${cut}`;
}

function printSmallest({ problems }: Swept, options: SweepOptions, terminal: Terminal): void {
  const [smallest] = problems;
  if (smallest === undefined) return;
  const { played, texts } = smallest;
  terminal.out(`\nThe smallest that is wrong:\n`);
  for (const line of linesOf(played, terminal)) terminal.out(`${line}\n`);
  for (const text of texts) terminal.out(`wrong: ${text}\n`);
  terminal.out(`\nAgain: ${commandOf(options, caseText(played.case))}\n`);
  const others = [...new Set(problems.flatMap((one) => one.texts))].filter((text) => !texts.includes(text));
  for (const text of others.slice(0, 10)) terminal.out(`also wrong: ${text}\n`);
}

function linesOf({ run }: Played, terminal: Terminal): readonly string[] {
  const lines = simulatedLines(run, terminal.screen?.().columns ?? 160, terminal.colors.out);
  if (run.status === undefined || run.status.code === 0) return lines;
  return [...lines, `status ${codeName(run.status.code)}: ${run.status.message}`];
}

function commandOf(options: SweepOptions, text: string): string {
  const flags = [
    options.descriptorSet === undefined ? options.folder : `--descriptor-set ${options.descriptorSet}`,
    ...(options.request === undefined ? [] : [`-d ${quoted(options.request)}`]),
    ...(options.fixtures === undefined ? [] : [`--fixtures ${options.fixtures}`]),
    ...(options.seed === 1 ? [] : [`--seed ${options.seed}`]),
  ];
  return `sidestep sweep ${options.workflow} ${flags.join(" ")} --case ${quoted(text)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function toJson({ runs, isCut, arms, faults, problems }: Swept): unknown {
  return {
    runs,
    isCut,
    arms: arms.map(({ arm, by }) => ({ arm, ...(by === undefined ? {} : { case: caseText(by) }) })),
    faults: faults.map(({ site, fault, played }) => ({
      call: site,
      fault,
      state: stateName(played.run.state),
      undone: undoneOf(played),
      case: caseText(played.case),
    })),
    problems: problems.map(({ played, texts }) => ({ case: caseText(played.case), texts })),
  };
}
