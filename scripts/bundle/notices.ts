import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";

/** The names, versions and licences of the packages whose files are in bundles, one after the other, as text. Files are paths of esbuild's metafile. */
export function noticesOf(files: Iterable<string>): string {
  const folders = new Set([...files].flatMap((file) => packageFolder(file) ?? []));
  return [...folders]
    .toSorted()
    .map(notice)
    .join(`\n${"-".repeat(80)}\n\n`);
}

function packageFolder(file: string): string | undefined {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

function notice(folder: string): string {
  const facts: unknown = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const fields = new Map<string, unknown>(typeof facts === "object" && facts !== null ? Object.entries(facts) : []);
  const told = (field: string): string => {
    const value = fields.get(field);
    return typeof value === "string" ? value : "not said";
  };
  const texts = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)(\.|$)/i.test(file));
  const read = texts.toSorted().map((file) => readFileSync(path.join(folder, file), "utf8"));
  return [`${told("name")} ${told("version")}\nLicence: ${told("license")}\n`, ...read].join("\n");
}
