import { offsetInText } from "./cursor.ts";
import { findOption } from "./optionText.ts";
import type { TextNode } from "./optionText.ts";
import { segmentsOf } from "./place.ts";
import type { Place, Root } from "./place.ts";

/** A point in a file: both count from 1; columns in UTF-16 units, as editors count them. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Texts of .proto files by their names in the image, and the options already found in them. */
export interface Sources {
  readonly texts: ReadonlyMap<string, string>;
  readonly options: Map<Root, TextNode>;
}

/**
 * Where a place stands in its file: exactly, down to the character at `offset` of a string, when the text of the file is known; else as far
 * as the image's own source info goes; undefined when there is neither.
 */
export function locate(place: Place, offset: number | undefined, sources: Sources): Position | undefined {
  const text = sources.texts.get(place.root.service.file.proto.name);
  const found = text === undefined ? undefined : offsetOf(place, offset, text, sources);
  return text === undefined || found === undefined ? locateInImage(place) : positionAt(text, found);
}

function offsetOf(place: Place, offset: number | undefined, text: string, { options }: Sources): number | undefined {
  const { service, method, option } = place.root;
  let node = options.get(place.root) ?? findOption(text, service.name, method?.name, option?.name);
  if (node === undefined) return undefined;
  options.set(place.root, node);
  for (const { name, index } of segmentsOf(place)) {
    const next: TextNode | undefined = node.fields?.get(name)?.[index];
    if (next === undefined) return node.start;
    node = next;
  }
  if (offset === undefined || node.literal === undefined) return node.start;
  return offsetInText(node.literal, offset) ?? node.start;
}

/** Line and column of an offset into a text. */
function positionAt(text: string, offset: number): Position {
  let line = 1;
  let begin = 0;
  for (let end = text.indexOf("\n"); end >= 0 && end < offset; end = text.indexOf("\n", begin)) {
    line++;
    begin = end + 1;
  }
  return { line, column: offset - begin + 1 };
}

/** The longest prefix of the place that SourceCodeInfo knows: an element of a repeated field at best, else the option, else the rpc. */
function locateInImage(place: Place): Position | undefined {
  const { root } = place;
  const path = pathOf(root);
  const [first] = segmentsOf(place);
  if (first !== undefined) {
    const field = fieldOfOption(root, first.name);
    if (field !== undefined) path.push(field.number, ...(field.isList ? [first.index] : []));
  }
  const locations = root.service.file.proto.sourceCodeInfo?.location ?? [];
  let best: readonly number[] | undefined;
  let depth = 0;
  for (const location of locations) {
    if (location.path.length <= depth || location.path.length > path.length) continue;
    if (!location.path.every((part, index) => part === path[index])) continue;
    best = location.span;
    depth = location.path.length;
  }
  const [line, column] = best ?? [];
  return line === undefined || column === undefined ? undefined : { line: line + 1, column: column + 1 };
}

/** Field numbers from the file down to the option: 6 service, 2 method, and 3 or 4 options. */
function pathOf({ service, method, option }: Root): number[] {
  const path = [6, service.file.services.indexOf(service)];
  if (method !== undefined) path.push(2, service.methods.indexOf(method));
  if (option !== undefined) path.push(method === undefined ? 3 : 4, option.number);
  return path;
}

function fieldOfOption(
  { service, option }: Root,
  name: string,
): { readonly number: number; readonly isList: boolean } | undefined {
  if (option === undefined) return undefined;
  for (const file of service.file.dependencies) {
    const extension = file.extensions.find(
      (one) => `${file.proto.package}.${one.name}` === option.name && one.number === option.number,
    );
    const field = extension?.message?.fields.find((one) => one.name === name);
    if (field !== undefined) return { number: field.number, isList: field.fieldKind === "list" };
  }
  return undefined;
}
