import { readFile } from "node:fs/promises";
import { fromJson, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, JsonValue, Registry } from "@bufbuild/protobuf";
import { LineCounter, isMap, isScalar, isSeq, parseDocument } from "yaml";
import type { Node, YAMLMap } from "yaml";
import { didYouMean } from "../../orchestrator/src/compile/closest.ts";
import { Diagnostic_Severity } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import { code } from "../../proto/wire/status.ts";
import { splitMethod } from "../../proto/wire/subjects.ts";
import { CliFailure, exit } from "./failure.ts";
import { jsonOf, misfitsOf } from "./fixtureFit.ts";
import type { FixtureText, Misfit } from "./fixtureFit.ts";
import { parseDuration } from "./time.ts";
import { behindAlias, itemsOf, kindOf, pairsOf, partOf } from "./yamlNode.ts";

/** How one call, or some, of a method are answered. */
export interface Fixture {
  /** Only requests with these values of these fields; undefined: any. */
  readonly match: { readonly [name: string]: JsonValue } | undefined;
  /** So many calls; Infinity: all that come. */
  readonly times: number;
  readonly delayMs: number;
  readonly end: FixtureEnd;
}

/** What a call comes to. */
export type FixtureEnd =
  /** Encoded; several only for a method that returns a stream. */
  | { readonly kind: "answered"; readonly messages: readonly Uint8Array[] }
  /** `details` is an encoded google.rpc.Status, as it travels in grpc-status-details-bin; empty: none. */
  | { readonly kind: "failed"; readonly code: number; readonly message: string; readonly details: Uint8Array }
  /** It is carried out, and nobody hears of it. */
  | { readonly kind: "lost" };

/** By "package.Service/Method", in the order in which they are taken. */
export type Fixtures = ReadonlyMap<string, readonly Fixture[]>;

/** What a text with fixtures comes to. */
export type ParsedFixtures =
  | { readonly kind: "fixtures"; readonly fixtures: Fixtures }
  | { readonly kind: "wrong"; readonly diagnostics: readonly Diagnostic[] };

/** Stands in docs/errors.md. */
const fixtureCode = "FIXTURE";
const keys = ["answer", "answers", "status", "lost", "match", "times", "delay"] as const;

/** Reads a file of fixtures in YAML or JSON. Throws CliFailure when it can't be read. */
export async function readFixtures(
  file: string,
  registry: Registry,
): Promise<{ readonly text: string; readonly parsed: ParsedFixtures }> {
  try {
    const text = await readFile(file, "utf8");
    return { text, parsed: parseFixtures(text, file, registry) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliFailure(exit.usage, `the fixtures can't be read: ${reason}`, file, "name a YAML or JSON file", error);
  }
}

/**
 * Fixtures, checked against the methods' messages: a map of "package.Service/Method" to how it answers, once or in turn.
 *
 *     payment.v1.PaymentService/Charge:
 *       - status: {code: UNAVAILABLE, message: no luck}
 *         times: 2
 *       - match: {order_id: o-7}
 *         answer: {charge_id: c-7, risk_score: 0.9}
 *       - answer: {charge_id: c-1}
 *         delay: 300ms
 */
export function parseFixtures(source: string, file: string, registry: Registry): ParsedFixtures {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const found: Diagnostic[] = [];
  const at = (offset: number, message: string, hint: string): void => {
    const { line, col } = lines.linePos(offset);
    const where = { file, line, column: col, path: "" };
    found.push({ severity: Diagnostic_Severity.ERROR, code: fixtureCode, message, hint, ...where });
  };
  for (const { message, pos } of document.errors) at(pos[0], message, "");
  if (found.length > 0) return { kind: "wrong", diagnostics: found };
  const reading: Reading = {
    text: { document, registry },
    refuse: ({ node, message, hint }) => at(node?.range?.[0] ?? 0, message, hint),
  };
  const fixtures = readMethods(reading, document.contents ?? undefined);
  return found.length > 0 ? { kind: "wrong", diagnostics: found } : { kind: "fixtures", fixtures };
}

interface Reading {
  readonly text: FixtureText;
  readonly refuse: (misfit: Misfit) => void;
}

function readMethods(reading: Reading, root: Node | undefined): Fixtures {
  const fixtures = new Map<string, readonly Fixture[]>();
  if (!isMap(root)) {
    reading.refuse({ node: root, message: `expected a map of methods, found ${kindOf(root)}`, hint: example });
    return fixtures;
  }
  for (const { key, name, value } of pairsOf(root)) {
    const method = methodOf(reading.text.registry, name);
    if (method === undefined) {
      const known = methodsOf(reading.text.registry);
      const hint = didYouMean(name, known);
      reading.refuse({ node: key, message: `unknown method '${name}'`, hint: hint === "" ? example : hint });
      continue;
    }
    const node = behindAlias(reading.text.document, value);
    const entries = isSeq(node) ? itemsOf(node) : [node ?? key];
    fixtures.set(
      name,
      entries.flatMap((entry) => readFixture(reading, method, behindAlias(reading.text.document, entry)) ?? []),
    );
  }
  return fixtures;
}

const example = 'as in payment.v1.PaymentService/Charge: {answer: {charge_id: "c-1"}}';

function methodOf(registry: Registry, name: string): DescMethod | undefined {
  if (!name.includes("/")) return undefined;
  const { service, name: method } = splitMethod(name);
  return registry.getService(service)?.methods.find((one) => one.name === method);
}

function methodsOf(registry: Registry): readonly string[] {
  return [...registry].flatMap((type) =>
    type.kind === "service" ? type.methods.map(({ name }) => `${type.typeName}/${name}`) : [],
  );
}

function readFixture(reading: Reading, method: DescMethod, node: Node | undefined): Fixture | undefined {
  if (!isMap(node)) {
    reading.refuse({ node, message: `expected how it answers, found ${kindOf(node)}`, hint: example });
    return undefined;
  }
  for (const { key, name } of pairsOf(node)) {
    if (keys.some((known) => known === name)) continue;
    const hint = didYouMean(name, keys);
    reading.refuse({
      node: key,
      message: `unknown key '${name}'`,
      hint: hint === "" ? `known: ${keys.join(", ")}` : hint,
    });
  }
  const end = readEnd(reading, method, node);
  const match = readMatch(reading, method.input, partOf(node, "match"));
  const times = readTimes(reading, partOf(node, "times"));
  const delayMs = readDelay(reading, partOf(node, "delay"));
  return end === undefined ? undefined : { match, times, delayMs, end };
}

function readEnd(reading: Reading, method: DescMethod, node: YAMLMap): FixtureEnd | undefined {
  const given = (["answer", "answers", "status", "lost"] as const).filter((name) => node.has(name));
  const [kind] = given;
  if (given.length !== 1 || kind === undefined) {
    const found = given.length === 0 ? "found none of them" : `found ${given.join(" and ")}`;
    const message = `expected one of answer, answers, status and lost, ${found}`;
    reading.refuse({ node, message, hint: example });
    return undefined;
  }
  const value = behindAlias(reading.text.document, partOf(node, kind));
  switch (kind) {
    case "answer":
      return { kind: "answered", messages: readMessage(reading, method.output, value) };
    case "answers":
      return readAnswers(reading, method, value);
    case "status":
      return readStatus(reading, value);
    case "lost":
      if (isScalar(value) && value.value === true) return { kind: "lost" };
      reading.refuse({ node: value, message: "expected lost: true", hint: "" });
      return undefined;
  }
}

function readMessage({ text, refuse }: Reading, type: DescMessage, node: Node | undefined): readonly Uint8Array[] {
  const misfits = misfitsOf(text, type, node);
  for (const misfit of misfits) refuse(misfit);
  if (misfits.length > 0) return [];
  return [toBinary(type, fromJson(type, jsonOf(text, node), { registry: text.registry }))];
}

function readAnswers(reading: Reading, method: DescMethod, node: Node | undefined): FixtureEnd | undefined {
  const isStream = method.methodKind === "server_streaming";
  if (!isStream || !isSeq(node)) {
    const message = isStream ? `expected a list of answers, found ${kindOf(node)}` : `${method.name} returns no stream`;
    reading.refuse({ node, message, hint: isStream ? "" : "give its one answer: answer: {…}" });
    return undefined;
  }
  const messages = itemsOf(node).flatMap((item) => readMessage(reading, method.output, item));
  return { kind: "answered", messages };
}

function readStatus(reading: Reading, node: Node | undefined): FixtureEnd | undefined {
  const name = isMap(node) ? partOf(node, "code") : node;
  const number = isScalar(name) ? Object.entries(code).find(([known]) => known === name.value)?.[1] : undefined;
  if (number === undefined || number === code.OK) {
    const names = Object.keys(code).filter((known) => known !== "OK");
    const said = isScalar(name) ? String(name.value) : "";
    const near = didYouMean(said, names);
    const hint = near === "" ? "as in status: {code: UNAVAILABLE, message: away}" : near;
    reading.refuse({ node: name ?? node, message: `expected the name of a status code, found '${said}'`, hint });
    return undefined;
  }
  if (!isMap(node)) return { kind: "failed", code: number, message: "", details: new Uint8Array() };
  for (const { key, name: given } of pairsOf(node)) {
    if (["code", "message", "details"].includes(given)) continue;
    reading.refuse({ node: key, message: `unknown key '${given}'`, hint: "known: code, message, details" });
  }
  const message = partOf(node, "message");
  const said = isScalar(message) ? String(message.value) : "";
  return {
    kind: "failed",
    code: number,
    message: said,
    details: readDetails(reading, number, said, partOf(node, "details")),
  };
}

function readDetails(reading: Reading, number: number, message: string, node: Node | undefined): Uint8Array {
  const type = reading.text.registry.getMessage("google.rpc.Status");
  const any = type?.field["details"]?.message;
  if (node === undefined || type === undefined || any === undefined) return new Uint8Array();
  if (!isSeq(node)) {
    reading.refuse({ node, message: `expected a list of details, found ${kindOf(node)}`, hint: "" });
    return new Uint8Array();
  }
  const misfits = itemsOf(node).flatMap((item) => misfitsOf(reading.text, any, item));
  for (const misfit of misfits) reading.refuse(misfit);
  if (misfits.length > 0) return new Uint8Array();
  const json = { code: number, message, details: jsonOf(reading.text, node) };
  return toBinary(type, fromJson(type, json, { registry: reading.text.registry }));
}

function readMatch({ text, refuse }: Reading, type: DescMessage, node: Node | undefined): Fixture["match"] {
  if (node === undefined) return undefined;
  const misfits = misfitsOf(text, type, node);
  for (const misfit of misfits) refuse(misfit);
  const json = jsonOf(text, node);
  return typeof json === "object" && json !== null && !Array.isArray(json) ? json : undefined;
}

function readTimes({ refuse }: Reading, node: Node | undefined): number {
  if (node === undefined) return Infinity;
  const value = isScalar(node) ? Number(node.value) : NaN;
  if (Number.isInteger(value) && value > 0) return value;
  refuse({ node, message: "expected how many calls it answers", hint: "a whole number from 1" });
  return Infinity;
}

function readDelay({ refuse }: Reading, node: Node | undefined): number {
  if (node === undefined) return 0;
  const ms = isScalar(node) ? parseDuration(String(node.value)) : undefined;
  if (ms === undefined) refuse({ node, message: "expected a duration", hint: "as in 300ms, 2s or 5m" });
  return ms ?? 0;
}
