import path from "node:path";
import { loadStubs } from "../stub/loadStubs.ts";
import type { LoadedStub, WantedStub } from "../stub/loadStubs.ts";
import { openStubServer } from "../stub/stubServer.ts";
import type { StubServer } from "../stub/stubServer.ts";
import { positionText } from "./positionText.ts";
import type { ProjectStub } from "./projectFile.ts";
import { openSidecar } from "./servedService.ts";
import type { Surroundings } from "./servedService.ts";
import type { Kept } from "./kept.ts";

/** Where a project's stubs stand, to say what is wrong there. */
export interface StubPlace {
  /** The project's folder. */
  readonly folder: string;
  /** sidestep.yaml and its text; empty: there is none. */
  readonly file: string;
  readonly text: string;
  readonly color: boolean;
}

export type CheckedStubs =
  | { readonly kind: "stubs"; readonly stubs: readonly LoadedStub[] }
  | { readonly kind: "wrong"; readonly said: string };

/** Checks stubs against the contracts; `said` has all that is wrong, with position and hint. */
export function checkStubs(image: Uint8Array, stubs: readonly ProjectStub[], at: StubPlace): CheckedStubs {
  const loaded = loadStubs(
    image,
    stubs.map((stub) => toWanted(stub, at.folder)),
    at.color,
  );
  if (loaded.kind === "stubs") return loaded;
  const problems = loaded.problems.map(({ stub, message, hint }) => {
    const place = stubs.find(({ service }) => service === stub.service)?.at;
    return place === undefined || place.line === 0
      ? `--stub ${stub.service}: ${message}\n  hint: ${hint}`
      : positionText({ ...at, ...place, message, hint });
  });
  return { kind: "wrong", said: [...problems, ...loaded.said].join("\n\n") };
}

/** Files that stubs answer from. */
export function fixtureFiles(stubs: readonly ProjectStub[], folder: string): readonly string[] {
  return stubs.flatMap((stub) => toWanted(stub, folder).fixtures ?? []);
}

function toWanted({ service, fixtures, seed }: ProjectStub, folder: string): WantedStub {
  return { service, fixtures: fixtures === undefined ? undefined : path.resolve(folder, fixtures), seed };
}

/** One server for all stubs of a project, and a sidecar beside it. */
export interface RunningStubs extends AsyncDisposable {
  /** From now on these answer; none: nobody does. */
  set(image: Uint8Array, stubs: readonly LoadedStub[]): Promise<void>;
  ready(): Promise<void>;
  /** host:port, while there are any. */
  address(): string | undefined;
}

const name = "stubs";

/** Nobody answers before the first `set`. */
export function openStubs(around: Surroundings): RunningStubs {
  let server: StubServer | undefined;
  let sidecar: Kept | undefined;
  const told = (method: string, outcome: string): void => around.screen.line(name, `${method} ${outcome}`);
  const close = async (): Promise<void> => {
    const [closing, leaving] = [server, sidecar];
    server = undefined;
    sidecar = undefined;
    await leaving?.[Symbol.asyncDispose]();
    await closing?.[Symbol.asyncDispose]();
  };
  return {
    set: async (image, stubs) => {
      if (stubs.length === 0) return close();
      // At the same port: the sidecar finds what the server has now as it would of any service that was started anew.
      const port = server?.port ?? 0;
      await server?.[Symbol.asyncDispose]();
      server = await openStubServer({ image, stubs, port, told });
      const address = `127.0.0.1:${server.port}`;
      sidecar ??= openSidecar({ name, address, expose: [], listen: undefined, isRestarted: true }, around);
    },
    ready: async () => sidecar?.ready,
    address: () => (server === undefined ? undefined : `127.0.0.1:${server.port}`),
    [Symbol.asyncDispose]: close,
  };
}
