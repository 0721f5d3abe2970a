import { InvalidArgumentError, Option } from "commander";
import type { Rate } from "../../proto/gen/sidestep/v1/runs.ts";
import { listForms, shownForms } from "./listForm.ts";
import { parseRate } from "./rate.ts";
import { parseDuration } from "./time.ts";
import { parseWorkflowName } from "./workflowName.ts";

/** --address. */
export function addressOption(): Option {
  return new Option("--address <host:port>", "the orchestrator").env("SIDESTEP_ADDRESS").default("127.0.0.1:7420");
}

/** --output. */
export function outputOption(): Option {
  return new Option("-o, --output <form>", "for people, or protobuf JSON for programs")
    .choices(["table", "json"])
    .default("table");
}

/** --output of what shows one thing. */
export function shownOption(): Option {
  return new Option("-o, --output <form>", "for people, or protobuf JSON or YAML for programs")
    .choices(shownForms)
    .default("table");
}

/** --output of a list. */
export function listOption(): Option {
  return new Option("-o, --output <form>", "for people, with more columns, for programs, or names alone")
    .choices(listForms)
    .default("table");
}

/** "package.Service/Method" of a workflow. */
export function workflowName(text: string): string {
  const name = parseWorkflowName(text);
  if (name === undefined)
    throw new InvalidArgumentError("Give it as package.Service/Method; `sidestep workflow list` shows them.");
  return name;
}

/** "package.Service/Method" of any rpc. */
export function methodName(text: string): string {
  const name = parseWorkflowName(text);
  if (name === undefined) throw new InvalidArgumentError("Give it as package.Service/Method.");
  return name;
}

/** A duration in milliseconds. */
export function timeout(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError("Expected a duration such as 500ms, 30s or 5m.");
  return ms;
}

/** So many calls in a second, minute, hour or day. */
export function rate(text: string): Rate {
  const parsed = parseRate(text);
  if (parsed === undefined) throw new InvalidArgumentError("Expected a rate such as 10/s, 30/m, 100/h or 1000/d.");
  return parsed;
}

/** A whole number that is not negative. */
export function wholeNumber(text: string): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (number === undefined) throw new InvalidArgumentError("Expected a whole number such as 0 or 12.");
  return number;
}

/** An example below a command's help. */
export function example(line: string): string {
  return `\nExample:\n  $ ${line}\n`;
}
