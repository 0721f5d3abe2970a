import type { FieldDescriptorProto_Type as Scalar } from "@bufbuild/protobuf/wkt";
import type { Contract, FieldShape, MethodShape, TypeShape } from "./contract.ts";
import { scalarChange } from "./scalars.ts";
import { isUsed } from "./usage.ts";
import type { Usage } from "./usage.ts";

/** One thing by which two sides of a call misunderstand each other. */
export interface Difference {
  /** "request", "response", or "method" where the rpc itself is another. */
  readonly part: "method" | "request" | "response";
  /** Path of the field by names: "card.number"; empty: the method, or the message as a whole. */
  readonly path: string;
  /** Half a sentence: "field 4 (amount) is gone". */
  readonly text: string;
}

/** How the caller knows a method: by the types that it sends and gets. Empty: not known, and not compared. */
export type CalledMethod = Omit<MethodShape, "clientStreaming">;

/** What one side writes and another one reads. */
interface Direction {
  readonly part: "request" | "response";
  readonly writer: Contract;
  readonly reader: Contract;
  /** Which fields the caller sets in what it sends, or reads of what it gets; the others don't matter. */
  readonly usage: Usage;
}

/** So many are told of one method. */
const differencesMax = 20;

/**
 * What goes wrong when a caller who knows the method by `known` calls it as `there` has it; empty: they understand each other. Only what is told
 * to be different counts: a method of a service that is not described, and types that are unknown, pass.
 */
export function differencesOf(
  method: string,
  called: CalledMethod,
  known: Contract,
  there: Contract,
  usage: { readonly request: Usage; readonly response: Usage },
): readonly Difference[] {
  const service = method.slice(0, method.indexOf("/"));
  const found = there.methods.get(method);
  if (found === undefined) return there.services.has(service) ? [ofMethod("the method is gone")] : [];
  if (found.clientStreaming) return [ofMethod("it takes a stream of requests now")];
  if (found.serverStreaming !== called.serverStreaming)
    return [ofMethod(found.serverStreaming ? "it returns a stream now" : "it returns one message now, no stream")];
  const request: Direction = { part: "request", writer: known, reader: there, usage: usage.request };
  const response: Direction = { part: "response", writer: there, reader: known, usage: usage.response };
  return [
    ...compareRoots(request, called.request, found.request),
    ...compareRoots(response, found.response, called.response),
  ].slice(0, differencesMax);
}

/** What goes wrong when one message is written and read as the other, whatever is used of it. */
export function differencesOfMessages(
  part: "request" | "response",
  written: { readonly contract: Contract; readonly message: string },
  read: { readonly contract: Contract; readonly message: string },
): readonly Difference[] {
  const direction: Direction = { part, writer: written.contract, reader: read.contract, usage: { kind: "all" } };
  return compareRoots(direction, written.message, read.message).slice(0, differencesMax);
}

function ofMethod(text: string): Difference {
  return { part: "method", path: "", text };
}

function compareRoots(direction: Direction, written: string, read: string): readonly Difference[] {
  const found: Difference[] = [];
  compareMessages(direction, written, read, "", new Set(), found);
  return found;
}

function compareMessages(
  direction: Direction,
  written: string,
  read: string,
  path: string,
  seen: Set<string>,
  found: Difference[],
): void {
  const pair = `${written} ${read}`;
  const writer = direction.writer.messages.get(written);
  const reader = direction.reader.messages.get(read);
  if (writer === undefined || reader === undefined || seen.has(pair) || found.length >= differencesMax) return;
  seen.add(pair);
  // Names and use are those that the caller knows.
  const known = direction.part === "request" ? writer : reader;
  for (const field of known.fields.values()) {
    const isWanted = isUsed(direction.usage, known.name, field);
    const one = writer.fields.get(field.number);
    const other = reader.fields.get(field.number);
    if (one === undefined || other === undefined) {
      if (isWanted) found.push(toDifference(direction, path, field, "is gone"));
      continue;
    }
    // What comes is decoded, used or not; what is never set is nobody's matter.
    if (!isWanted && direction.part === "request") continue;
    compareFields(direction, one, other, field, joined(path, field.name), seen, found);
  }
  for (const field of reader.fields.values()) {
    if (!field.isRequired || writer.fields.get(field.number)?.isRequired === true) continue;
    found.push(toDifference(direction, path, field, "is required now"));
  }
  compareOneofs(direction, writer.fields, reader.fields, path, found);
}

function compareFields(
  direction: Direction,
  written: FieldShape,
  read: FieldShape,
  known: FieldShape,
  path: string,
  seen: Set<string>,
  found: Difference[],
): void {
  const parent = path.slice(0, Math.max(0, path.lastIndexOf(".")));
  const tell = (text: string): void => void found.push(toDifference(direction, parent, known, text));
  if (written.isList && !read.isList) return tell("was one value, and is several");
  const change = typeChange(direction, written.type, read.type);
  if (change !== undefined) return tell(change);
  if (written.type.kind === "message" && read.type.kind === "message")
    compareMessages(direction, written.type.name, read.type.name, path, seen, found);
}

/** Undefined: what is written as the one can be read as the other. */
function typeChange({ part, writer, reader }: Direction, written: TypeShape, read: TypeShape): string | undefined {
  if (written.kind === "unknown" || read.kind === "unknown") return undefined;
  if (written.kind === "message" && read.kind === "message")
    return written.isDelimited === read.isDelimited ? undefined : "is encoded in another way";
  if (written.kind === "enum" && read.kind === "enum") {
    const values = writer.enums.get(written.name);
    const others = reader.enums.get(read.name);
    if (values === undefined || others === undefined) return undefined;
    // An open enum brings a value nobody knows as a number; whoever sends one expects it to be understood.
    if (part === "response" && !others.isClosed) return undefined;
    const lost = [...values.values].find(([number]) => !others.values.has(number));
    return lost === undefined ? undefined : `has no value ${lost[0]} (${lost[1]}) on the other side`;
  }
  return scalarChange(toScalar(written), toScalar(read), nameOf(written), nameOf(read));
}

function toScalar(type: TypeShape): Scalar | "enum" | "message" {
  switch (type.kind) {
    case "scalar":
      return type.scalar;
    case "enum":
    case "message":
      return type.kind;
    case "unknown":
      return "message";
  }
}

function nameOf(type: TypeShape): string {
  return type.kind === "enum" || type.kind === "message" ? type.name : "";
}

/** Two fields that were written both, of which the reader keeps the last one only. */
function compareOneofs(
  direction: Direction,
  writer: ReadonlyMap<number, FieldShape>,
  reader: ReadonlyMap<number, FieldShape>,
  path: string,
  found: Difference[],
): void {
  const first = new Map<string, FieldShape>();
  for (const field of reader.values()) {
    const written = writer.get(field.number);
    if (field.oneof === undefined || written === undefined) continue;
    const before = first.get(field.oneof);
    if (before === undefined) first.set(field.oneof, field);
    else if (written.oneof === undefined || writer.get(before.number)?.oneof !== written.oneof)
      found.push(toDifference(direction, path, field, `excludes field ${before.number} (${before.name}) now`));
  }
}

function toDifference({ part }: Direction, path: string, { number, name }: FieldShape, text: string): Difference {
  const where = path === "" ? "" : ` of ${path}`;
  return { part, path: joined(path, name), text: `field ${number} (${name})${where} ${text}` };
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
