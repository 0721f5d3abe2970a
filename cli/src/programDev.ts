import path from "node:path";
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import type { DevOptions } from "./dev/dev.ts";
import { isServiceName, parseServiceFlag } from "./dev/projectFile.ts";
import type { ProjectService, ProjectStub } from "./dev/projectFile.ts";
import { example } from "./flags.ts";
import type { ExitCode } from "./failure.ts";

interface DevForm {
  readonly service: readonly ProjectService[];
  readonly stub: readonly ProjectStub[];
  readonly dataDir?: string;
  readonly reset: boolean;
  readonly listen?: string;
  readonly otlp?: string;
}

/** `dev`; `dev` runs it. */
export function addDev(
  program: Command,
  dev: (options: DevOptions) => Promise<ExitCode>,
  end: (code: ExitCode) => void,
): void {
  program
    .command("dev")
    .description("run everything that a folder of .proto files needs, and deploy again at each change; docs/dev.md")
    .argument("[folder]", "folder of .proto files, and of sidestep.yaml", ".")
    .option(
      "--service <name=host:port>",
      "a service that runs already, besides those of sidestep.yaml; may be given again",
      collect(service),
      [],
    )
    .option(
      "--stub <package.Service[=file]>",
      "answer for a service that is absent, by values that are made up, or from a file of fixtures; may be given again",
      collect(stub),
      [],
    )
    .option("--data-dir <folder>", "where runs and logs are kept (default: .sidestep/dev in the folder)")
    .option("--reset", "begin with an empty one", false)
    .option("--listen <host:port>", "the orchestrator's address (default: 127.0.0.1:7420, or a free port)", loopback)
    .option("--otlp <url>", "pass traces on to this collector too")
    .addHelpText("after", example("sidestep dev my-workflows --stub payment.v1.PaymentService"))
    .action(async (folder: string, given: DevForm) => end(await dev(toOptions(folder, given))));
}

function toOptions(folder: string, given: DevForm): DevOptions {
  const { service: services, stub: stubs, dataDir, reset, listen, otlp } = given;
  return { folder, services, stubs, dataDir, reset, listen, otlp };
}

function collect<Value>(parse: (text: string) => Value): (text: string, before: readonly Value[]) => readonly Value[] {
  return (text, before) => [...before, parse(text)];
}

function service(text: string): ProjectService {
  const parsed = parseServiceFlag(text);
  if (parsed === undefined)
    throw new InvalidArgumentError("Give it as NAME=HOST:PORT, such as payment=127.0.0.1:50051.");
  return parsed;
}

function stub(text: string): ProjectStub {
  const [name = "", ...file] = text.split("=");
  if (!isServiceName(name) || text.endsWith("="))
    throw new InvalidArgumentError("Give the full name, such as payment.v1.PaymentService, with =FILE or without.");
  const fixtures = file.length === 0 ? undefined : path.resolve(file.join("="));
  return { service: name, fixtures, seed: 1, at: { line: 0, column: 0 } };
}

function loopback(text: string): string {
  if (!/^(localhost|127(?:\.\d{1,3}){3}|\[::1\]):\d{1,5}$/.test(text))
    throw new InvalidArgumentError(
      "dev is for this machine alone: give an address of loopback, such as 127.0.0.1:7420.",
    );
  return text;
}
