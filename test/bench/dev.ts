import { readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { helloFile, openTestProject } from "../../cli/src/dev/testing.ts";
import { runHere } from "../../cli/src/testing.ts";
import { repositoryRoot, startProgram } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { pythonWithGrpc } from "../support/python.ts";
import { median } from "./accounting.ts";
import { buildBundles } from "./bundles.ts";
import { describeMachine, machineText } from "./machine.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- dev [options]

\`sidestep dev\`, as a bundle: from its start to the line by which it says that it is ready, with a project whose service is answered for and with the three
services of the example "order"; from the save of a .proto file to the line by which it says what was deployed, or what is wrong; and from SIGTERM to its end.
Medians are told.

  --rounds <n>    starts of each (5)
  --saves <n>     saves in each (6)
  --json <file>   writes the figures
  --help`;

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

type Figures = Readonly<Record<"first" | "ready" | "deployed" | "wrong" | "stopped", number[]>>;

/** Measures and prints a table. */
export async function measureDev(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "5" },
      saves: { type: "string", default: "6" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const machine = await describeMachine();
  progress(machineText(machine));
  await using stage = new AsyncDisposableStack();
  const bundles = stage.use(await buildBundles());
  const counts = { rounds: Number(values.rounds), saves: Number(values.saves) };
  const command = bundles.file("sidestep");
  const rows: (readonly [string, Figures])[] = [];
  {
    await using project = await openTestProject();
    const file = path.join(project.folder, helloFile);
    const edit = { file, from: `greet.greeting + "`, wrong: `greet.greetin + "` };
    rows.push(["one workflow, a stub", await measureProject(command, project.folder, edit, counts)]);
  }
  {
    await using project = await openTestProject();
    await rm(project.folder, { recursive: true });
    await runHere(["init", "--example", "order", project.folder]);
    await symlink(path.join(repositoryRoot, "node_modules"), path.join(project.folder, "node_modules"));
    const file = path.join(project.folder, "proto/shop/v1/order.proto");
    const edit = {
      file,
      from: `output: '{charge_id: charge.charge_id, `,
      wrong: `output: '{charge_id: charge.charge_i, `,
    };
    rows.push(["the order, three services", await measureProject(command, project.folder, edit, counts)]);
  }
  console.log(toTable(rows));
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ machine, figures: Object.fromEntries(rows) }, undefined, 2)}\n`);
}

interface Edit {
  readonly file: string;
  /** What is made wrong, and by what. */
  readonly from: string;
  readonly wrong: string;
}

async function measureProject(
  command: string,
  folder: string,
  edit: Edit,
  { rounds, saves }: { readonly rounds: number; readonly saves: number },
): Promise<Figures> {
  const figures: Figures = { first: [], ready: [], deployed: [], wrong: [], stopped: [] };
  for (let round = 0; round <= rounds; round++) {
    progress(`${path.basename(folder)}: start ${round} of ${rounds}`);
    const begun = performance.now();
    await using program = await startProgram({
      name: "sidestep dev",
      command: process.execPath,
      args: [command, "dev", folder],
      env: { PYTHON: pythonWithGrpc() },
      readyLine: /^ {2}gRPC, JSON/,
      readyTimeoutMs: 60_000,
    });
    figures[round === 0 ? "first" : "ready"].push(performance.now() - begun);
    if (round === rounds) await measureSaves(program, edit, saves, figures);
    const asked = performance.now();
    await program.stop();
    figures.stopped.push(performance.now() - asked);
  }
  return figures;
}

/** Each save changes what is deployed, or makes it wrong: a comment would not. */
async function measureSaves(
  program: Program,
  { file, from, wrong }: Edit,
  saves: number,
  figures: Figures,
): Promise<void> {
  const text = await readFile(file, "utf8");
  for (let save = 0; save < saves; save++) {
    const timeout = `timeout: "${save + 2}h"`;
    const changed = text.replace(/timeout: "[^"]+"/, timeout);
    figures.deployed.push(await untilLine(program, file, changed, /^deployed /));
    figures.wrong.push(await untilLine(program, file, changed.replace(from, wrong), /^not deployed/));
    await untilLine(program, file, changed, /^nothing wrong any more/);
  }
}

async function untilLine(program: Program, file: string, text: string, line: RegExp): Promise<number> {
  const before = program.lines.length;
  const begun = performance.now();
  await writeFile(file, text);
  await program.waitForLine(line, { from: before });
  return performance.now() - begun;
}

function toTable(rows: readonly (readonly [string, Figures])[]): string {
  const told = (all: readonly number[]): string =>
    `${median(all).toFixed(0)} (${Math.min(...all).toFixed(0)} to ${Math.max(...all).toFixed(0)})`;
  return textTable([
    ["ms", "first start", "ready", "save to deployed", "save to what is wrong", "stopped"],
    ...rows.map(([name, it]) => [name, ...[it.first, it.ready, it.deployed, it.wrong, it.stopped].map(told)]),
  ]);
}
