import type { Command } from "commander";
import { example, outputOption } from "./flags.ts";
import type { ExitCode } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

interface Shown {
  readonly address: string;
  readonly output: "table" | "json";
}

/** The commands that deploy, and say before what that would do. */
export function addDeploys(
  program: Command,
  terminal: Terminal,
  end: (code: ExitCode) => void,
  withAddress: (command: Command) => Command,
): void {
  withAddress(program.command("deploy"))
    .description("check and deploy the workflows of a folder, all or none")
    .argument("[folder]", "folder of .proto files", ".")
    .option("--descriptor-set <file>", "deploy a google.protobuf.FileDescriptorSet instead")
    .option("--dry-run", "only say what would change", false)
    .option("--reason <text>", "kept in the audit", "")
    .option("--allow-breaking", "deploy although it breaks callers, services that run or runs in flight", false)
    .addOption(outputOption())
    .addHelpText("after", example("sidestep deploy examples/order/proto"))
    .action(
      async (
        folder: string,
        given: Shown & {
          readonly descriptorSet?: string;
          readonly dryRun: boolean;
          readonly reason: string;
          readonly allowBreaking: boolean;
        },
      ) => {
        const { deploy } = await import("./deploy.ts");
        const { descriptorSet, dryRun: isDryRun, allowBreaking: allowsBreaking } = given;
        await deploy({ ...given, folder, descriptorSet, isDryRun, allowsBreaking }, terminal);
      },
    );
  withAddress(program.command("plan"))
    .description("say what a deploy of a folder would change, and what it would break")
    .argument("[folder]", "folder of .proto files", ".")
    .option("--descriptor-set <file>", "plan a google.protobuf.FileDescriptorSet instead")
    .addOption(outputOption())
    .addHelpText("after", example("sidestep plan examples/order/proto"))
    .action(async (folder: string, given: Shown & { readonly descriptorSet?: string }) => {
      const { plan } = await import("./plan.ts");
      end(await plan({ ...given, folder, descriptorSet: given.descriptorSet }, terminal));
    });
}
