import { LineCounter, isMap, isScalar, isSeq, parseDocument } from "yaml";
import type { Node, Pair, YAMLMap } from "yaml";

/** The name of the file in a project's folder. */
export const projectFile = "sidestep.yaml";

/** What a project needs besides its contracts to run on one machine. */
export interface Project {
  readonly services: readonly ProjectService[];
  readonly stubs: readonly ProjectStub[];
}

/** A service process: one that somebody starts, or one that is started by its command. */
export interface ProjectService {
  readonly name: string;
  /** host:port or unix:path; undefined: a free port, which the command is told as PORT. */
  readonly address: string | undefined;
  /** A line for the shell; undefined: somebody else starts it. */
  readonly command: string | undefined;
  /** Where the command runs, from the project's folder. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Services that it offers, full names; empty: it is asked by reflection. */
  readonly expose: readonly string[];
  /** Where it calls workflows at its own sidecar; undefined: it does not. */
  readonly listen: string | undefined;
}

/** A service that is answered for. */
export interface ProjectStub {
  /** Full name. */
  readonly service: string;
  /** File of answers, from the project's folder; undefined: they are made up. */
  readonly fixtures: string | undefined;
  /** What made-up answers follow from. */
  readonly seed: number;
  /** Where it stands. */
  readonly at: Place;
}

/** Somewhere in the file, counted from 1; 0: it was given as a flag. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** What is wrong in the file. */
export interface ProjectProblem extends Place {
  readonly message: string;
  readonly hint: string;
}

export type ReadProject =
  | { readonly kind: "project"; readonly project: Project }
  | { readonly kind: "wrong"; readonly problems: readonly ProjectProblem[] };

export const emptyProject: Project = { services: [], stubs: [] };

const serviceName = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$/;
/** As services are called in prefixes of lines and in traces. */
const shortName = /^[A-Za-z0-9][\w.-]*$/;
const addressForm = /^(?:unix:.+|(?:[\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5})$/;
const serviceKeys = ["name", "address", "command", "cwd", "env", "expose", "listen"] as const;
const stubKeys = ["service", "fixtures", "seed"] as const;

/** Reads the text of a sidestep.yaml; reports all that is wrong at once. */
export function parseProject(text: string): ReadProject {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const read: Reading = { lines, problems: [] };
  for (const { message, pos } of document.errors) report(read, pos[0], message, "correct the YAML");
  const root = document.contents;
  const project = root === null || read.problems.length > 0 ? emptyProject : readRoot(read, root);
  return read.problems.length > 0 ? { kind: "wrong", problems: read.problems } : { kind: "project", project };
}

/** Reads NAME=ADDRESS, as --service has it; undefined: it is neither. */
export function parseServiceFlag(text: string): ProjectService | undefined {
  const at = text.indexOf("=");
  const [name, address] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 0 || !shortName.test(name) || !addressForm.test(address)) return undefined;
  return { name, address, command: undefined, cwd: ".", env: {}, expose: [], listen: undefined };
}

/** Whether it may be the full name of a service. */
export function isServiceName(text: string): boolean {
  return serviceName.test(text);
}

/** A file that is being read, and what is wrong in it so far. */
interface Reading {
  readonly lines: LineCounter;
  readonly problems: ProjectProblem[];
}

function report(read: Reading, offset: number, message: string, hint: string): void {
  read.problems.push({ ...placeOf(read, offset), message, hint });
}

function readRoot(read: Reading, root: Node): Project {
  const map = mapOf(read, root, "the file", ["services", "stubs"]);
  if (map === undefined) return emptyProject;
  const names = new Set<string>();
  const services = listOf(read, map, "services").flatMap((node) => {
    const service = readService(read, node);
    if (service !== undefined && names.has(service.name))
      report(read, startOf(node), `there are two services of the name ${service.name}`, "rename one");
    if (service !== undefined) names.add(service.name);
    return service ?? [];
  });
  const seen = new Set<string>();
  const stubs = listOf(read, map, "stubs").flatMap((node) => {
    const stub = readStub(read, node);
    if (stub !== undefined && seen.has(stub.service))
      report(read, startOf(node), `${stub.service} is stubbed twice`, "leave one of them out");
    if (stub !== undefined) seen.add(stub.service);
    return stub ?? [];
  });
  return { services, stubs };
}

function readService(read: Reading, node: Node): ProjectService | undefined {
  const map = mapOf(read, node, "a service", serviceKeys);
  if (map === undefined) return undefined;
  const name = textOf(read, map, "name", shortName, "a name of letters, digits, dots, dashes and underscores");
  if (name === undefined && !map.has("name"))
    report(read, startOf(node), "a service has no name", "add one, such as name: payment");
  const address = textOf(read, map, "address", addressForm, "host:port or unix:path");
  const command = textOf(read, map, "command", /\S/, "a command line");
  if (!map.has("address") && !map.has("command"))
    report(
      read,
      startOf(node),
      `service ${name ?? ""} has neither address nor command`,
      "give the address where it listens, or the command that starts it, or both",
    );
  const expose = listOf(read, map, "expose").flatMap(
    (one) => scalarText(read, one, serviceName, "the full name of a service, such as shop.v1.Orders") ?? [],
  );
  const listen = textOf(read, map, "listen", addressForm, "host:port of loopback, or unix:path");
  const cwd = textOf(read, map, "cwd", /\S/, "a folder") ?? ".";
  if (name === undefined) return undefined;
  return { name, address, command, cwd, env: readEnvironment(read, map), expose, listen };
}

function readStub(read: Reading, node: Node): ProjectStub | undefined {
  const form = "the full name of a service, such as shop.v1.Orders";
  const at = placeOf(read, startOf(node));
  if (isScalar(node)) {
    const service = scalarText(read, node, serviceName, form);
    return service === undefined ? undefined : { service, fixtures: undefined, seed: 1, at };
  }
  const map = mapOf(read, node, "a stub", stubKeys);
  if (map === undefined) return undefined;
  const service = textOf(read, map, "service", serviceName, form);
  if (service === undefined && !map.has("service"))
    report(read, startOf(node), "a stub names no service", "add one, such as service: payment.v1.PaymentService");
  const fixtures = textOf(read, map, "fixtures", /\S/, "a file of answers");
  const seed = textOf(read, map, "seed", /^\d{1,9}$/, "a whole number") ?? "1";
  return service === undefined ? undefined : { service, fixtures, seed: Number(seed), at };
}

function readEnvironment(read: Reading, map: YAMLMap): Readonly<Record<string, string>> {
  const node = map.get("env", true);
  if (node === undefined || (isScalar(node) && node.value === null)) return {};
  if (!isMap(node)) {
    report(read, startOf(node), "env is no mapping", "write env: {NAME: value}");
    return {};
  }
  return Object.fromEntries(
    node.items.flatMap((pair) => {
      const value = scalarText(read, pair.value, /^/, "a text");
      return value === undefined ? [] : [[keyOf(pair), value]];
    }),
  );
}

/** A mapping with these keys and no other. */
function mapOf(read: Reading, node: Node, what: string, keys: readonly string[]): YAMLMap | undefined {
  if (!isMap(node)) {
    report(read, startOf(node), `${what} is no mapping`, `write ${keys.map((key) => `${key}: …`).join(", ")}`);
    return undefined;
  }
  for (const pair of node.items) {
    const key = keyOf(pair);
    if (!keys.includes(key)) report(read, startOf(pair.key), `${what} has no '${key}'`, `there are ${keys.join(", ")}`);
  }
  return node;
}

function listOf(read: Reading, map: YAMLMap, key: string): readonly Node[] {
  const node = map.get(key, true);
  if (node === undefined || (isScalar(node) && node.value === null)) return [];
  if (!isSeq<Node>(node)) {
    report(read, startOf(node), `${key} is no list`, `write each behind a dash:\n    ${key}:\n      - …`);
    return [];
  }
  return node.items;
}

function textOf(read: Reading, map: YAMLMap, key: string, form: RegExp, expected: string): string | undefined {
  const node = map.get(key, true);
  return node === undefined ? undefined : scalarText(read, node, form, `${key}: ${expected}`);
}

function scalarText(read: Reading, node: unknown, form: RegExp, expected: string): string | undefined {
  const text = isScalar(node) ? plainText(node.value) : undefined;
  if (text !== undefined && form.test(text)) return text;
  report(read, startOf(node), `'${text ?? "…"}' can't stand here`, `expected ${expected}`);
  return undefined;
}

/** Undefined: it is no single value. */
function plainText(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "boolean":
    case "bigint":
      return String(value);
    default:
      return undefined;
  }
}

function placeOf(read: Reading, offset: number): Place {
  const { line, col } = read.lines.linePos(offset);
  return { line, column: col };
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : "";
}

function startOf(node: unknown): number {
  const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
  const start: unknown = Array.isArray(range) ? range[0] : undefined;
  return typeof start === "number" ? start : 0;
}
