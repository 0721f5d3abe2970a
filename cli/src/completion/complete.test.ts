import { Command, Option } from "commander";
import { expect, test } from "vitest";
import { complete } from "./complete.ts";

const program = new Command("sidestep");
program.command("version").description("print the version");
const run = program.command("run").description("runs");
run.command("start").argument("<workflow>").option("-d, --request <json>", "the request");
run
  .command("list")
  .description("list runs")
  .option("--state <state...>", "only these")
  .option("--workflow <workflow>", "only these")
  .addOption(new Option("-o, --output <form>", "form").choices(["table", "json"]));
run.command("cancel").argument("[run id]").option("--address <host:port>", "where").option("--yes", "do it");
program.command("check").argument("[folder]").option("--descriptor-set <file>", "a file");
program.command("__hidden", { hidden: true });

const words = (...given: readonly string[]) => complete(program, given).candidates.map(({ word }) => word);
const listed = (...given: readonly string[]) => complete(program, given).listed;

test("commands are offered with what they do, hidden ones are not", () => {
  expect(complete(program, ["v"]).candidates).toEqual([{ word: "version", about: "print the version" }]);
  expect(words("")).toEqual(["version", "run", "check", "help"]);
  expect(words("run", "l")).toEqual(["list"]);
});

test("options are those of the command", () => {
  expect(words("run", "list", "--")).toEqual(["--state", "--workflow", "--output", "--help"]);
  expect(words("run", "cancel", "--y")).toEqual(["--yes"]);
});

test("values of an option are its choices, apart or attached", () => {
  expect(words("run", "list", "-o", "")).toEqual(["table", "json"]);
  expect(words("run", "list", "--output", "j")).toEqual(["json"]);
  expect(words("run", "list", "--output=j")).toEqual(["--output=json"]);
});

test("what has to be looked up is told by its kind", () => {
  expect(listed("run", "start", "")).toBe("workflows");
  expect(listed("run", "list", "--workflow", "shop")).toBe("workflows");
  expect(listed("run", "list", "--workflow=shop")).toBe("workflows");
  expect(listed("run", "cancel", "01")).toBe("runs");
  expect(listed("check", "")).toBe("folders");
  expect(listed("check", "--descriptor-set", "")).toBe("files");
});

test("a flag without a value leaves the argument where it is, one with a value takes the next word", () => {
  expect(listed("run", "cancel", "--yes", "")).toBe("runs");
  expect(listed("run", "start", "-d", "{}", "")).toBe("workflows");
  expect(listed("run", "start", "-d", "")).toBeUndefined();
  expect(listed("run", "start", "shop.v1.OrderWorkflow/Fulfil", "")).toBeUndefined();
});

test("an option with several values goes on until the next option", () => {
  expect(words("run", "list", "--state", "paused", "--w")).toEqual(["--workflow"]);
});

test("options that were given tell where to look up", () => {
  expect(complete(program, ["run", "cancel", "--address", "there:1", ""]).options).toEqual({ address: "there:1" });
  expect(complete(program, ["run", "cancel", "--address=there:1", ""]).options).toEqual({ address: "there:1" });
});

test("words that mean nothing offer nothing", () => {
  expect(words("nothing", "")).toEqual(["version", "run", "check", "help"]);
  expect(words("run", "list", "--nothing=x")).toEqual([]);
  expect(complete(program, []).candidates.length).toBeGreaterThan(0);
});
