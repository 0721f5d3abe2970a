import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { Diagnostic_Severity } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { splitMethod } from "../../proto/wire/subjects.ts";
import { CliFailure, exit } from "./failure.ts";
import { accountName, natsAccountsText, orchestratorAccount, passwordVariable } from "./natsAccounts.ts";
import type { SidecarAccount } from "./natsAccounts.ts";
import { readSource } from "./source.ts";
import type { Terminal } from "./terminal.ts";

export interface NatsConfigOptions {
  readonly folder: string;
  /** File with a google.protobuf.FileDescriptorSet in place of the folder. */
  readonly descriptorSet: string | undefined;
  /** Full names of services that no workflow here calls. */
  readonly service: readonly string[];
  /** "name=pkg.Service,pkg.Other": one sidecar stands beside all of these. */
  readonly account: readonly string[];
  /** Full names of services that call workflows through their sidecars. */
  readonly caller: readonly string[];
  /** "pkg.Called=pkg.Caller". */
  readonly mesh: readonly string[];
  readonly prefix: string;
}

/** Prints NATS accounts for the orchestrators and for the sidecars of all services that the workflows of a folder call. Throws CliFailure. */
export async function printNatsConfig(options: NatsConfigOptions, terminal: Terminal): Promise<void> {
  const { image, diagnostics } = await readSource(options.folder, options.descriptorSet);
  if (image === undefined || diagnostics.some(({ severity }) => severity === Diagnostic_Severity.ERROR)) {
    const next = `\`sidestep check ${options.folder}\` says what is wrong`;
    throw new CliFailure(exit.findings, "the workflows have errors", options.descriptorSet ?? options.folder, next);
  }
  const methods = methodsOf(fromBinary(FileDescriptorSetSchema, image).file);
  const called = calledServices(image);
  const grouped = options.account.map(parseAccount);
  const together = new Set(grouped.flatMap(({ services }) => services));
  const mesh = options.mesh.map(parseMesh);
  const named = [...options.service, ...options.caller, ...mesh.flatMap((one) => [one.called, one.caller])];
  const alone = [...new Set([...called, ...named])].filter((service) => !together.has(service));
  const accounts = [...grouped, ...alone.map((service) => ({ name: accountName(service), services: [service] }))];
  if (accounts.length === 0) {
    const next = "give a folder with workflows, or name services: --service <package.Service>";
    throw new CliFailure(exit.usage, "no service is called by the workflows here", options.folder, next);
  }
  terminal.out(natsAccountsText(accounts, methods, options.prefix, { callers: options.caller, mesh }));
  const variables = [orchestratorAccount, ...accounts.map(({ name }) => name)].map(passwordVariable);
  terminal.err(
    [
      "Include it in the configuration of each nats-server, beside `jetstream {}`. Passwords come from nats-server's environment:",
      ...variables.map((name) => `  ${name}`),
      "Orchestrators get NATS_USER=sidestep, a sidecar the name of its account, each with its NATS_PASSWORD.",
      "",
    ].join("\n"),
  );
}

function methodsOf(files: readonly FileDescriptorProto[]): readonly string[] {
  return files.flatMap(({ package: name, service }) =>
    service.flatMap((one) => one.method.map((method) => `${name === "" ? "" : `${name}.`}${one.name}/${method.name}`)),
  );
}

/** Services that the workflows call; workflows call each other without a sidecar. */
function calledServices(image: Uint8Array): readonly string[] {
  const { workflows } = compileImage(image, {});
  const served = new Set(workflows.map(({ workflow }) => splitMethod(workflow).service));
  const called = new Set(workflows.flatMap(({ plan }) => plan.methods.map((method) => splitMethod(method).service)));
  return [...called].filter((service) => !served.has(service)).toSorted();
}

function parseMesh(text: string): { readonly called: string; readonly caller: string } {
  const [called = "", caller = "", ...more] = text.split("=");
  if (more.length === 0 && [called, caller].every((service) => /^[\w.]+$/.test(service))) return { called, caller };
  const next = "give it as package.Called=package.Caller, as --mesh-allow of the called service's sidecar";
  throw new CliFailure(exit.usage, `${JSON.stringify(text)} is not two services`, "--mesh", next);
}

function parseAccount(text: string): SidecarAccount {
  const [name = "", services = ""] = text.split("=", 2);
  const all = services.split(",").filter((service) => service !== "");
  if (/^[\w-]{1,64}$/.test(name) && all.length > 0 && all.every((service) => /^[\w.]+$/.test(service)))
    return { name, services: all };
  const next = "give it as name=package.Service,package.Other";
  throw new CliFailure(exit.usage, `${JSON.stringify(text)} is no account`, "--account", next);
}
