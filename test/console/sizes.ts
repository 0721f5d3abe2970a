import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";

/** What goes over the wire before a page is drawn, in kB. */
export interface Sizes {
  /** All that the first page needs: page, styles, scripts and what they import at once. */
  readonly entry: number;
  /** What the graph needs besides. */
  readonly graph: number;
}

/** Sizes of a console that was built to the folder. */
export function sizesOf(built: string): Sizes {
  const page = readFileSync(path.join(built, "index.html"), "utf8");
  const named = [...page.matchAll(/(?:src|href)="\/console\/([^"]+\.(?:js|css))"/g)].map(([, file = ""]) => file);
  const first = new Set(named.flatMap((file) => (file.endsWith(".js") ? [...withImports(built, file)] : [file])));
  const graph = readdirSync(path.join(built, "assets")).find((file) => /^Graph-.*\.js$/.test(file));
  if (named.length < 3 || graph === undefined) throw new Error(`${built} holds no console that was built`);
  const more = [...withImports(built, `assets/${graph}`)].filter((file) => !first.has(file));
  const sum = (files: Iterable<string>): number => [...files].reduce((all, file) => all + kilobytes(built, file), 0);
  return { entry: sum([...first, "index.html"]), graph: sum(more) };
}

function kilobytes(built: string, file: string): number {
  return gzipSync(readFileSync(path.join(built, file))).length / 1000;
}

/** A script of the build and all that it imports at once. */
function withImports(built: string, script: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(script)) return seen;
  seen.add(script);
  const text = readFileSync(path.join(built, script), "utf8");
  for (const [, , target = ""] of text.matchAll(/(^|[;}])import[^"'()]*["']\.\/([^"']+\.js)["']/g))
    withImports(built, `assets/${target}`, seen);
  return seen;
}
