import path from "node:path";
import type { DeployState } from "./deploys.ts";
import { exampleRequest } from "./exampleRequest.ts";
import type { RunningProject } from "./project.ts";
import type { Screen } from "./screen.ts";

interface Greeting {
  readonly version: string;
  readonly readyMs: number;
  readonly addresses: {
    readonly door: string;
    readonly natsUrl: string;
    readonly otlp: string | undefined;
    readonly store: string;
    /** The console is there: a clone may have to build it first. */
    readonly isConsoleBuilt: boolean;
  };
  readonly deployed: DeployState;
  readonly running: Pick<RunningProject, "served" | "stubbed">;
  readonly screen: Screen;
}

const defaultDoor = "127.0.0.1:7420";

/** What is there, where it is, and a call to begin with. */
export function greeting({ version, readyMs, addresses, deployed, running, screen }: Greeting): string {
  const { door, natsUrl, otlp, store, isConsoleBuilt } = addresses;
  const row = (name: string, text: string): string => `  ${name.padEnd(12)} ${text}`;
  const lines = [
    screen.tone(`sidestep ${version} is ready (${(readyMs / 1_000).toFixed(1)} s); Ctrl-C ends all of it`, "good"),
    row("gRPC, JSON", door),
    row(
      "console",
      `http://${door}/console/${isConsoleBuilt ? "" : "  (not built yet: npm run build in Sidestep's folder)"}`,
    ),
    row("traces", `http://${door}/console/traces${otlp === undefined ? "" : `, passed on to ${otlp}`}`),
    row("NATS", natsUrl),
    row("data", `${shortest(store)}  (--reset empties it)`),
    ...running
      .served()
      .map(({ service, address }) =>
        row("service", `${service.name}  ${address}${service.command === undefined ? "" : `  ${service.command}`}`),
      ),
    ...running.stubbed().map((service) => row("stub", service)),
    ...deployed.workflows.map(({ workflow, version: number }) => row("deployed", `${workflow}  version ${number}`)),
  ];
  const [first] = deployed.workflows;
  if (first === undefined || deployed.image === undefined) {
    lines.push("", "No workflow is deployed yet: save one, and it is.");
    return lines.join("\n");
  }
  const at = door === defaultDoor ? "" : ` --address ${door}`;
  lines.push(
    "",
    "Try:",
    `  npx sidestep run exec ${first.workflow}${at} -d '${exampleRequest(deployed.image, first.workflow)}'`,
  );
  return lines.join("\n");
}

function shortest(folder: string): string {
  const relative = path.relative("", folder);
  return relative.startsWith("..") ? folder : relative;
}
