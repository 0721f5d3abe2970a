import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { CliFailure, exit } from "../failure.ts";
import type { FrontClient } from "../frontClient.ts";
import { absentOf, absentText } from "./absentServices.ts";
import type { DeployState } from "./deploys.ts";
import { positionText } from "./positionText.ts";
import { emptyProject, parseProject, projectFile } from "./projectFile.ts";
import type { Project, ProjectService, ProjectStub } from "./projectFile.ts";
import { openServedService } from "./servedService.ts";
import type { ServedService, Surroundings } from "./servedService.ts";
import { checkStubs, fixtureFiles, openStubs } from "./stubs.ts";
import type { StubPlace } from "./stubs.ts";

/** What was given by flags. */
export interface GivenProject {
  readonly services: readonly ProjectService[];
  readonly stubs: readonly ProjectStub[];
}

/** What sidestep.yaml and the flags name, and how to run it. */
export interface OpenedProject {
  /** Throws CliFailure when something is stubbed that the contracts don't have, or by fixtures that don't fit. */
  check(image: Uint8Array): void;
  run(image: Uint8Array | undefined, around: Surroundings): RunningProject;
}

/** The services of a project while it runs. */
export interface RunningProject extends AsyncDisposable {
  /** All of it is started, and each sidecar is up. */
  ready(): Promise<void>;
  served(): readonly ServedService[];
  /** Services that are answered for. */
  stubbed(): readonly string[];
  /** Whether a change of the file, an absolute path, has to do with what is run. */
  reads(file: string): boolean;
  /** Reads sidestep.yaml again: what has come is started, what has gone is ended, what has changed is started anew. */
  refresh(state: DeployState, client: FrontClient, signal: AbortSignal): Promise<void>;
  /** Says which services that workflows call are offered by nobody. */
  tellAbsent(state: DeployState, client: FrontClient, signal: AbortSignal): Promise<void>;
}

/** Reads it. Throws CliFailure when there is no such folder, or the file can't be used. */
export function openProject(folder: string, given: GivenProject, color: boolean): OpenedProject {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new CliFailure(exit.usage, "there is no such folder", folder, "name the folder that holds your .proto files");
  const file = path.join(folder, projectFile);
  const next = "mend it; docs/dev.md has its form";
  const read = readProject(file, given, color);
  if (read.kind === "wrong") throw new CliFailure(exit.findings, read.said, file, next);
  return {
    check: (image) => {
      const checked = checkStubs(image, read.project.stubs, { folder, file, text: read.text, color });
      if (checked.kind === "wrong") throw new CliFailure(exit.findings, checked.said, "stubs", next);
    },
    run: (image, around) => runProject({ read, image }, { folder, file, given, color }, around),
  };
}

interface ReadFile {
  readonly kind: "project";
  readonly project: Project;
  readonly text: string;
}

function readProject(
  file: string,
  given: GivenProject,
  color: boolean,
): ReadFile | { readonly kind: "wrong"; readonly said: string } {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return { kind: "project", project: merge(emptyProject, given), text: "" };
    return { kind: "wrong", said: error instanceof Error ? error.message : String(error) };
  }
  const parsed = parseProject(text);
  if (parsed.kind === "project") return { kind: "project", project: merge(parsed.project, given), text };
  const said = parsed.problems.map((problem) => positionText({ file, text, ...problem, color })).join("\n\n");
  return { kind: "wrong", said };
}

/** A flag comes before an entry of the same name: the service runs elsewhere, or is answered for otherwise, today. */
function merge(project: Project, { services, stubs }: GivenProject): Project {
  const named = new Set(services.map(({ name }) => name));
  const stubbed = new Set(stubs.map(({ service }) => service));
  return {
    services: [...project.services.filter(({ name }) => !named.has(name)), ...services],
    stubs: [...project.stubs.filter(({ service }) => !stubbed.has(service)), ...stubs],
  };
}

interface Where {
  readonly folder: string;
  readonly file: string;
  readonly given: GivenProject;
  readonly color: boolean;
}

function runProject(
  first: { readonly read: ReadFile; readonly image: Uint8Array | undefined },
  { folder, file, given, color }: Where,
  around: Surroundings,
): RunningProject {
  const { screen } = around;
  const running = new Map<string, ServedService>();
  const stubs = openStubs(around);
  let current = first.read;
  let turn: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    turn = turn.then(work, work);
    return turn;
  };
  const told = new Set<string>();
  const reconcile = async (read: ReadFile, image: Uint8Array | undefined): Promise<void> => {
    current = read;
    await keepServices(read.project.services, running, around);
    if (image === undefined) return;
    const at: StubPlace = { folder, file, text: read.text, color };
    const checked = checkStubs(image, read.project.stubs, at);
    if (checked.kind === "stubs") await stubs.set(image, checked.stubs);
    else screen.outcome(`${checked.said}\n${screen.tone("stubs answer as they did", "bad")}`);
  };
  const started = inTurn(() => reconcile(first.read, first.image));
  const tellAbsent: RunningProject["tellAbsent"] = async ({ compiled }, client, signal) => {
    const needed = new Set((compiled?.workflows ?? []).flatMap(({ plan }) => plan.methods.map(serviceOf)));
    const absent = await absentOf([...needed], client, signal);
    if (signal.aborted) return;
    for (const service of told) if (!absent.includes(service)) told.delete(service);
    for (const service of absent) {
      if (!told.has(service)) screen.say(screen.tone(absentText(service), "waiting"));
      told.add(service);
    }
  };
  return {
    ready: async () => {
      await started;
      await Promise.all([...[...running.values()].map((served) => served.ready), stubs.ready()]);
    },
    served: () => [...running.values()],
    stubbed: () => current.project.stubs.map(({ service }) => service),
    reads: (changed) => changed === file || fixtureFiles(current.project.stubs, folder).includes(changed),
    refresh: async (state, client, signal) => {
      const read = readProject(file, given, color);
      if (read.kind === "wrong") screen.outcome(`${read.said}\n${screen.tone("services go on as they were", "bad")}`);
      else await inTurn(() => (signal.aborted ? Promise.resolve() : reconcile(read, state.image)));
      await tellAbsent(state, client, signal);
    },
    tellAbsent,
    [Symbol.asyncDispose]: async () => {
      await turn.catch(() => undefined);
      const all = [...running.values(), stubs];
      await Promise.all(all.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}

/** Ends those that are not wanted any more, or otherwise than they are, and starts what is missing. */
async function keepServices(
  wanted: readonly ProjectService[],
  running: Map<string, ServedService>,
  around: Surroundings,
): Promise<void> {
  const byKey = new Map(wanted.map((service) => [JSON.stringify(service), service]));
  const gone = [...running].filter(([key]) => !byKey.has(key));
  await Promise.all(
    gone.map(async ([key, served]) => {
      running.delete(key);
      await served[Symbol.asyncDispose]();
    }),
  );
  for (const [key, service] of byKey) if (!running.has(key)) running.set(key, await openServedService(service, around));
}

function serviceOf(method: string): string {
  return method.slice(0, method.indexOf("/"));
}
