import { CelScalar, celList, celMethod, isCelList, isCelMap, listType } from "@bufbuild/cel";
import type { CelFunc, CelInput, CelValue } from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";

const { DYN, STRING } = CelScalar;
const clause = /%(?:%|(?:\.\d*)?([a-zA-Z]))/g;

/**
 * The library's functions on text. Its `format` shows a map's entries in the order of the machine's locale; here they stand in that of their keys'
 * code units, as on any machine that replays the run.
 */
export const textFunctions: readonly CelFunc[] = [
  ...strings.filter(({ name }) => name !== "format"),
  celMethod("format", STRING, [listType(DYN)], STRING, function (values) {
    const given: CelInput[] = [...values];
    let at = 0;
    for (const [, verb] of this.matchAll(clause)) {
      if (verb === undefined) continue;
      const value = values.get(at);
      if (verb === "s" && value !== undefined) given[at] = textOf(value);
      at += 1;
    }
    return formatBy(this, given);
  }),
];

const library = strings.find(({ name }) => name === "format");

function formatBy(template: string, values: readonly CelInput[]): string {
  if (library?.target === undefined) throw new Error("the library has no method format");
  const text = library.call(1, template, [celList([...values])]);
  if (typeof text !== "string") throw text;
  return text;
}

function textOf(value: CelValue): string {
  if (isCelList(value)) return `[${[...value].map(textOf).join(", ")}]`;
  if (!isCelMap(value)) return formatBy("%s", [value]);
  const entries = [...value].map(([key, of]) => [textOf(key), textOf(of)] as const);
  return `{${entries
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, of]) => `${key}: ${of}`)
    .join(", ")}}`;
}
