import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { codes } from "../../orchestrator/src/compile/codes.ts";
import { Diagnostic_Severity } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { expandBodies, placeIn } from "./bodyFiles.ts";
import type { ExpandedProto } from "./bodyFiles.ts";
import { runBuf } from "./buf.ts";
import type { BufResult } from "./buf.ts";
import { hintFor } from "./bufHint.ts";
import { ownProtoFolder, schemaFile } from "./ownProto.ts";
import { copyProtoFiles } from "./protoFiles.ts";

/** What became of building a folder. */
export type Build =
  | BuiltImage
  /** The .proto files don't compile: buf's own findings. */
  | { readonly kind: "wrong"; readonly diagnostics: readonly Diagnostic[]; readonly sources: ProtoSources }
  /** It could not even begin. */
  | { readonly kind: "failed"; readonly what: string; readonly where: string; readonly next: string };

/** A google.protobuf.FileDescriptorSet with all imports, and with the comments of its fields. */
export interface BuiltImage {
  readonly kind: "built";
  readonly image: Uint8Array;
  readonly sources: ProtoSources;
}

/** The texts behind an image. */
export interface ProtoSources {
  /** By name in the image, as they are; and those that `body_file` names. */
  readonly texts: ReadonlyMap<string, string>;
  /** As they were compiled: with the bodies of workflows that stand in files of their own. */
  readonly compiled: ReadonlyMap<string, string>;
  /** What is said of what was compiled, said of the files as they are. */
  readonly place: (diagnostic: Diagnostic) => Diagnostic;
  /** Path, from the working folder, of a file of the image. */
  readonly showFile: (name: string) => string;
}

/**
 * Builds the .proto files of a folder with the buf that this package depends on: by its buf.yaml where it has one, else with the folder as
 * root of all imports. sidestep/v1/workflow.proto is there without being vendored; a vendored one comes first. The folder itself is left
 * as it is.
 */
export async function buildImage(folder: string): Promise<Build> {
  const kind = await stat(folder).catch(() => undefined);
  if (kind?.isDirectory() !== true) {
    return {
      kind: "failed",
      what: "there is no such folder",
      where: folder,
      next: "name the folder that holds your .proto files",
    };
  }
  const copy = await mkdtemp(path.join(tmpdir(), "sidestep-"));
  try {
    const expanded = expandAll(folder, copy, copyProtoFiles(folder, copy));
    const listed = await listModules(copy);
    if (listed !== undefined && listed.exitCode !== 0) return notBuilt(listed, folder, copy);
    const modules = modulesOf(listed?.stdout ?? "");
    await addSchema(copy, modules);
    const args = ["build", "--as-file-descriptor-set", "--error-format", "json", "-o", "image.binpb"];
    const built = await runBuf(args, copy);
    const sources = sourcesOf(folder, modules, expanded);
    const misplaced = [...expanded.values()].flatMap((one) => one.wrong);
    if (misplaced.length > 0) return { kind: "wrong", diagnostics: misplaced, sources: sources([...expanded.keys()]) };
    if (built.exitCode !== 0) return await wrong(built, folder, copy, modules, expanded);
    const set = fromBinary(FileDescriptorSetSchema, new Uint8Array(await readFile(path.join(copy, "image.binpb"))));
    for (const file of set.file) keepComments(file);
    return {
      kind: "built",
      image: toBinary(FileDescriptorSetSchema, set),
      sources: sources(set.file.map((file) => file.name)),
    };
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return {
      kind: "failed",
      what,
      where: folder,
      next: "name a folder whose .proto files can be read, or install Sidestep again",
    };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Undefined: nothing is configured, the folder is the only module. */
async function listModules(copy: string): Promise<BufResult | undefined> {
  const isConfigured = ["buf.yaml", "buf.work.yaml", "buf.mod"].some((name) => existsSync(path.join(copy, name)));
  return isConfigured ? await runBuf(["config", "ls-modules", "--format", "json"], copy) : undefined;
}

function modulesOf(listing: string): readonly string[] {
  const found = listing.split("\n").flatMap((line) => /"path":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? []);
  return found.length === 0 ? ["."] : found;
}

async function addSchema(copy: string, modules: readonly string[]): Promise<void> {
  if (modules.some((module) => existsSync(path.join(copy, module, schemaFile)))) return;
  const target = path.join(copy, modules[0] ?? ".", schemaFile);
  await mkdir(path.dirname(target), { recursive: true });
  await copyFile(path.join(ownProtoFolder(), schemaFile), target);
}

/** Reads the texts of files of the image, from the folder as it is: those that come from elsewhere have none. */
function sourcesOf(
  folder: string,
  modules: readonly string[],
  expanded: ReadonlyMap<string, ExpandedProto>,
): (names: readonly string[]) => ProtoSources {
  return (names) => {
    const texts = new Map<string, string>();
    const compiled = new Map<string, string>();
    const placed = new Map<string, ExpandedProto>();
    const paths = new Map<string, string>();
    for (const name of names) {
      const found = modules.map((module) => path.join(folder, module, name)).find((candidate) => existsSync(candidate));
      if (found === undefined) continue;
      texts.set(name, readFileSync(found, "utf8"));
      paths.set(name, shortest(found));
      const one = expanded.get(path.relative(folder, found));
      compiled.set(name, one?.text ?? texts.get(name) ?? "");
      if (one !== undefined) placed.set(name, one);
      for (const body of one?.bodies ?? []) {
        texts.set(body.name, body.text);
        paths.set(body.name, shortest(path.join(folder, body.name)));
      }
    }
    const place = (diagnostic: Diagnostic): Diagnostic => {
      const one = placed.get(diagnostic.file);
      return one === undefined ? diagnostic : placeIn(one, diagnostic);
    };
    return { texts, compiled, place, showFile: (name) => paths.get(name) ?? name };
  };
}

/** One line of `buf build --error-format json`. */
interface BufError {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Puts bodies that stand in files of their own into the copies of the .proto files that name them. */
function expandAll(folder: string, copy: string, files: readonly string[]): ReadonlyMap<string, ExpandedProto> {
  const expanded = new Map<string, ExpandedProto>();
  for (const name of files) {
    const file = path.join(copy, name);
    const text = name.endsWith(".proto") ? readFileSync(file, "utf8") : "";
    if (!text.includes("body_file")) continue;
    const read = (body: string): string | undefined => {
      const beside = path.join(folder, body);
      return existsSync(beside) ? readFileSync(beside, "utf8") : undefined;
    };
    const one = expandBodies(name, text, read, toRegistry().getMessage("sidestep.v1.Workflow"));
    if (one === undefined) continue;
    expanded.set(name, one);
    writeFileSync(file, one.text);
  }
  return expanded;
}

async function wrong(
  built: BufResult,
  folder: string,
  copy: string,
  modules: readonly string[],
  expanded: ReadonlyMap<string, ExpandedProto>,
): Promise<Build> {
  const errors = built.stderr.split("\n").flatMap((line) => parseBufError(line) ?? []);
  if (errors.length === 0) return notBuilt(built, folder, copy);
  const texts = new Map<string, string>();
  for (const name of new Set(errors.map((error) => error.path))) {
    const text = await readFile(path.join(folder, name), "utf8").catch(() => undefined);
    if (text !== undefined) texts.set(name, text);
  }
  const schema = await readFile(path.join(ownProtoFolder(), schemaFile), "utf8");
  const diagnostics = errors.map((error): Diagnostic => {
    const { message, line, column, path: name } = error;
    const one = expanded.get(name);
    const text = (one?.text ?? texts.get(name))?.split("\n")[line - 1] ?? "";
    for (const body of one?.bodies ?? []) texts.set(body.name, body.text);
    const told: Diagnostic = {
      severity: Diagnostic_Severity.ERROR,
      code: codes.SOURCES.code,
      message,
      hint: hintFor({ message, line: text, column, schema, roots: modules }),
      file: name,
      line,
      column,
      path: "",
    };
    return one === undefined ? told : placeIn(one, told);
  });
  const showFile = (name: string): string => shortest(path.join(folder, name));
  const sources = { texts, compiled: texts, place: (diagnostic: Diagnostic) => diagnostic, showFile };
  return { kind: "wrong", diagnostics, sources };
}

/** The path from the working folder, unless it would lead out of it. */
function shortest(file: string): string {
  const relative = path.relative("", path.resolve(file));
  return relative.startsWith("..") ? file : relative;
}

function notBuilt(result: BufResult, folder: string, copy: string): Build {
  const said = (result.stderr.trim() || result.stdout.trim())
    .replaceAll(`${copy}${path.sep}`, "")
    .replaceAll(copy, folder);
  const what = `buf can't build it: ${said === "" ? `it ended with ${result.exitCode}` : said}`;
  return { kind: "failed", what, where: folder, next: "run `buf build` there: what it says applies here too" };
}

function parseBufError(line: string): BufError | undefined {
  if (!line.startsWith("{")) return undefined;
  const found = { path: "", line: 0, column: 0, message: "" };
  try {
    const fields: unknown = JSON.parse(line);
    for (const [name, value] of Object.entries(fields ?? {})) {
      if (name === "path") found.path = String(value);
      if (name === "message") found.message = String(value);
      if (name === "start_line") found.line = Number(value);
      if (name === "start_column") found.column = Number(value);
    }
  } catch {
    return undefined;
  }
  return found;
}

/** Of the source info what forms show: it would make an image some times as large. */
function keepComments({ package: name, sourceCodeInfo }: FileDescriptorProto): void {
  if (sourceCodeInfo === undefined) return;
  const isKnown = name.startsWith("google.") || name.startsWith("sidestep.");
  sourceCodeInfo.location = isKnown
    ? []
    : sourceCodeInfo.location.filter((one) => one.leadingComments !== "" || one.trailingComments !== "");
}
