import type { JsonValue } from "@bufbuild/protobuf";

/** A JSON value as a YAML document in block style. */
export function yamlText(value: JsonValue): string {
  return `${linesOf(value).join("\n")}\n`;
}

function linesOf(value: JsonValue): readonly string[] {
  if (Array.isArray(value)) {
    if (value.length === 0) return ["[]"];
    return value.flatMap((one) => linesOf(one).map((line, index) => `${index === 0 ? "-" : " "} ${line}`));
  }
  if (typeof value !== "object" || value === null) return [scalar(value)];
  const entries = Object.entries(value);
  if (entries.length === 0) return ["{}"];
  return entries.flatMap(([name, one]) => {
    const lines = linesOf(one);
    return isBlock(one)
      ? [`${scalar(name)}:`].concat(lines.map((line) => `  ${line}`))
      : [`${scalar(name)}: ${lines[0]}`];
  });
}

function isBlock(value: JsonValue): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

/** Texts that YAML could take for something else are quoted as JSON quotes them, which YAML reads too. */
function scalar(value: string | number | boolean | null): string {
  if (typeof value !== "string") return String(value);
  const isPlain = /^[A-Za-z][A-Za-z0-9_./-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value);
  return isPlain ? value : JSON.stringify(value);
}
