import { Option } from "commander";
import type { Command } from "commander";

/** What opens an orchestrator's door, as options of a command. */
export interface DoorKeys {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

let given: DoorKeys = {};

/** Adds the options to a command that talks to an orchestrator; what is given then holds for all its calls. */
export function withDoorKeys(command: Command): Command {
  const option = (flags: string, env: string, text: string): Option => new Option(flags, text).env(env);
  return command
    .addOption(option("--token <token>", "SIDESTEP_TOKEN", "what lets in, where the orchestrator asks for one"))
    .addOption(option("--token-file <file>", "SIDESTEP_TOKEN_FILE", "file with that token"))
    .addOption(
      option("--tls-ca <file>", "SIDESTEP_TLS_CA", "talk TLS, and trust who signed the orchestrator's certificate"),
    )
    .addOption(option("--tls-cert <file>", "SIDESTEP_TLS_CERT", "certificate to show, as PEM"))
    .addOption(option("--tls-key <file>", "SIDESTEP_TLS_KEY", "its private key, as PEM"))
    .hook("preAction", (_, action) => {
      given = action.opts<DoorKeys>();
    });
}

/** What was given to the command that runs. */
export function doorKeys(): DoorKeys {
  return given;
}
