import { readFileSync } from "node:fs";
import path from "node:path";
import { CliFailure, exit } from "../failure.ts";
import type { FrontClient } from "../frontClient.ts";
import { absentOf, absentText } from "./absentServices.ts";
import type { DeployState } from "./deploys.ts";
import { positionText } from "./positionText.ts";
import { emptyProject, parseProject, projectFile } from "./projectFile.ts";
import type { Project, ProjectService } from "./projectFile.ts";
import { openServedService } from "./servedService.ts";
import type { ServedService, Surroundings } from "./servedService.ts";

/** What was given by flags. */
export interface GivenProject {
  readonly services: readonly ProjectService[];
  readonly stubs: readonly string[];
}

/** What sidestep.yaml and the flags name, and how to run it. */
export interface OpenedProject {
  run(around: Surroundings): RunningProject;
}

/** The services of a project while it runs. */
export interface RunningProject extends AsyncDisposable {
  /** All of it is started, and each sidecar is up. */
  ready(): Promise<void>;
  served(): readonly ServedService[];
  /** Reads sidestep.yaml again: what has come is started, what has gone is ended, what has changed is started anew. */
  refresh(state: DeployState, client: FrontClient, signal: AbortSignal): Promise<void>;
  /** Says which services that workflows call are offered by nobody. */
  tellAbsent(state: DeployState, client: FrontClient, signal: AbortSignal): Promise<void>;
}

/** Reads it. Throws CliFailure when the file can't be used. */
export function openProject(folder: string, given: GivenProject, color: boolean): OpenedProject {
  const read = readProject(folder, color);
  if (read.kind === "wrong")
    throw new CliFailure(exit.findings, read.said, path.join(folder, projectFile), "mend it; docs/dev.md has its form");
  return { run: (around) => runProject(merge(read.project, given), { folder, given, color }, around) };
}

type Read = { readonly kind: "project"; readonly project: Project } | { readonly kind: "wrong"; readonly said: string };

function readProject(folder: string, color: boolean): Read {
  const file = path.join(folder, projectFile);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return { kind: "project", project: emptyProject };
    return { kind: "wrong", said: error instanceof Error ? error.message : String(error) };
  }
  const parsed = parseProject(text);
  if (parsed.kind === "project") return parsed;
  const said = parsed.problems.map((problem) => positionText({ file, text, ...problem, color })).join("\n\n");
  return { kind: "wrong", said };
}

/** A flag comes before an entry of the same name: the service runs elsewhere today. */
function merge(project: Project, { services, stubs }: GivenProject): Project {
  const named = new Set(services.map(({ name }) => name));
  const stubbed = new Set(project.stubs.map(({ service }) => service));
  const at = { line: 0, column: 0 };
  return {
    services: [...project.services.filter(({ name }) => !named.has(name)), ...services],
    stubs: [
      ...project.stubs,
      ...stubs
        .filter((service) => !stubbed.has(service))
        .map((service) => ({ service, fixtures: undefined, seed: 1, at })),
    ],
  };
}

interface Where {
  readonly folder: string;
  readonly given: GivenProject;
  readonly color: boolean;
}

function runProject(first: Project, { folder, given, color }: Where, around: Surroundings): RunningProject {
  const running = new Map<string, ServedService>();
  let turn: Promise<void> = Promise.resolve();
  const told = new Set<string>();
  const { screen } = around;
  const reconcile = async (project: Project): Promise<void> => {
    const wanted = new Map(project.services.map((service) => [JSON.stringify(service), service]));
    const gone = [...running].filter(([key]) => !wanted.has(key));
    await Promise.all(
      gone.map(async ([key, served]) => {
        running.delete(key);
        await served[Symbol.asyncDispose]();
      }),
    );
    for (const [key, service] of wanted)
      if (!running.has(key)) running.set(key, await openServedService(service, around));
  };
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    turn = turn.then(work, work);
    return turn;
  };
  const started = inTurn(() => reconcile(first));
  const tellAbsent: RunningProject["tellAbsent"] = async ({ compiled }, client, signal) => {
    const needed = new Set((compiled?.workflows ?? []).flatMap(({ plan }) => plan.methods.map(serviceOf)));
    for (const service of told) if (!needed.has(service)) told.delete(service);
    const absent = await absentOf([...needed], client, signal);
    if (signal.aborted) return;
    for (const service of needed) {
      if (!absent.includes(service)) told.delete(service);
      else if (!told.has(service)) {
        told.add(service);
        screen.say(screen.tone(absentText(service), "waiting"));
      }
    }
  };
  return {
    ready: async () => {
      await started;
      await Promise.all([...running.values()].map((served) => served.ready));
    },
    served: () => [...running.values()],
    refresh: async (state, client, signal) => {
      const read = readProject(folder, color);
      if (read.kind === "wrong") screen.outcome(`${read.said}\n${screen.tone("services go on as they were", "bad")}`);
      else await inTurn(() => (signal.aborted ? Promise.resolve() : reconcile(merge(read.project, given))));
      await tellAbsent(state, client, signal);
    },
    tellAbsent,
    [Symbol.asyncDispose]: async () => {
      await turn.catch(() => undefined);
      await Promise.all([...running.values()].map((served) => served[Symbol.asyncDispose]()));
    },
  };
}

function serviceOf(method: string): string {
  return method.slice(0, method.indexOf("/"));
}
