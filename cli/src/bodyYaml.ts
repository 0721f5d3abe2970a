import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { LineCounter, isMap, isScalar, isSeq, parseDocument } from "yaml";
import type { Scalar, YAMLMap } from "yaml";

/** What a YAML body came to. */
export type YamlBody =
  | { readonly kind: "text"; readonly text: string }
  /** Both count from 1. */
  | { readonly kind: "wrong"; readonly line: number; readonly column: number; readonly message: string };

/**
 * A message in YAML as the text format writes it, each value at the line, and as far as there is room at the column, where it stands in the YAML: so
 * whatever is said of the one holds for the other.
 */
export function yamlBody(source: string, message: DescMessage | undefined): YamlBody {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    return { kind: "wrong", line, column: col, message: error.message.split("\n")[0] ?? "" };
  }
  const writer = newWriter(lines);
  if (isMap(document.contents)) writeMap(writer, document.contents, message);
  else if (document.contents !== null)
    return { kind: "wrong", line: 1, column: 1, message: "expected the fields of a workflow: key, step, output" };
  return { kind: "text", text: writer.text() };
}

interface Writer {
  /** Puts a word where `offset` stands in the source, `shift` columns beside, or as soon behind as there is room. */
  put(word: string, offset: number, shift?: number): void;
  /** Puts it right behind. */
  add(word: string): void;
  /** Line and column of an offset. */
  at(offset: number): { readonly line: number; readonly col: number };
  /** Puts a word at a line and column. */
  putAt(word: string, line: number, column: number): void;
  text(): string;
}

function newWriter(lines: LineCounter): Writer {
  let written = "";
  let line = 1;
  let column = 1;
  const putAt = (word: string, toLine: number, toColumn: number): void => {
    for (; line < toLine; line++) {
      written += "\n";
      column = 1;
    }
    const gap = Math.max(toColumn - column, column > 1 ? 1 : 0);
    const isThere = toColumn === column;
    written += (isThere ? "" : " ".repeat(gap)) + word;
    column += (isThere ? 0 : gap) + word.length;
  };
  return {
    putAt,
    put: (word, offset, shift = 0) => {
      const { line: toLine, col } = lines.linePos(offset);
      putAt(word, toLine, Math.max(1, col + shift));
    },
    add: (word) => {
      written += word;
      column += word.length;
    },
    at: (offset) => lines.linePos(offset),
    text: () => written,
  };
}

function writeMap(writer: Writer, map: YAMLMap, message: DescMessage | undefined): void {
  for (const { key, value } of map.items) {
    if (!isScalar(key)) continue;
    const given = String(key.value);
    const field = message?.fields.find(({ name, jsonName }) => name === given || jsonName === given);
    const name = field?.name ?? given;
    const offset = key.range?.[0] ?? 0;
    if (isSeq(value)) {
      for (const item of value.items) {
        const itemOffset = isMap(item) || isScalar(item) ? (item.range?.[0] ?? offset) : offset;
        // A list of texts has no place for the name before its first column.
        writeField(writer, name, item === value.items[0] ? offset : itemOffset, item, field);
      }
    } else writeField(writer, name, offset, value, field);
  }
}

function writeField(writer: Writer, name: string, offset: number, value: unknown, field: DescField | undefined): void {
  if (isMap(value)) {
    writer.put(`${name} {`, offset);
    writeMap(writer, value, field?.message);
    writer.add(" }");
  } else if (isScalar(value) && value.value !== null) {
    writer.put(`${name}:`, offset);
    writeScalar(writer, value, field);
  } else writer.put(`${name} {}`, offset);
}

/** Texts in quotes, everything else bare. */
function writeScalar(writer: Writer, scalar: Scalar, field: DescField | undefined): void {
  const offset = scalar.range?.[0] ?? 0;
  const isText = field === undefined ? typeof scalar.value === "string" : isTextField(field);
  if (!isText) return writer.put(String(scalar.value), offset);
  const text = String(scalar.source ?? scalar.value);
  switch (scalar.type) {
    case "BLOCK_LITERAL":
      return writeBlock(writer, String(scalar.value), offset);
    case "PLAIN":
      return writer.put(JSON.stringify(text.includes("\n") ? scalar.value : text), offset, -1);
    default:
      return writer.put(JSON.stringify(scalar.value), offset);
  }
}

function isTextField(field: DescField): boolean {
  return field.fieldKind === "list"
    ? field.listKind === "scalar" && field.scalar === textType
    : field.scalar === textType;
}

/** FieldDescriptorProto.Type.TYPE_STRING */
const textType = 9;

/** Each line of a literal block on a line of its own. */
function writeBlock(writer: Writer, text: string, offset: number): void {
  const { line } = writer.at(offset);
  text
    .replace(/\n$/, "")
    .split("\n")
    .forEach((one, index, all) => {
      const end = index < all.length - 1 || text.endsWith("\n") ? "\n" : "";
      writer.putAt(JSON.stringify(`${one}${end}`), line + 1 + index, 1);
    });
}
