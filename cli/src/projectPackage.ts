import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "../../runtime/src/version.ts";

/** What the services and tests of projects stand on, as it was tried. */
const grpc = { "@grpc/grpc-js": "^1.14.7", "@grpc/proto-loader": "^0.8.0" };
/** npm takes the one that knows the machine's Node: 5 wants 22. */
const vitest = "^4.0.0 || ^5.1.1";

/** The package.json of a project that `init` writes; `isServed`: with services in Node. */
export function projectPackage(name: string, { isServed }: { readonly isServed: boolean }): string {
  const manifest = {
    name,
    private: true,
    type: "module",
    scripts: { dev: "sidestep dev", check: "sidestep check", test: "vitest run" },
    ...(isServed ? { dependencies: grpc } : {}),
    devDependencies: { ...ownPackages(), vitest },
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/** This very installation where it is a clone, which no registry has; else the packages of its version. */
function ownPackages(): Readonly<Record<string, string>> {
  const clone = cloneFolder();
  return clone === undefined
    ? { "@sidestep/testing": `^${version}`, sidestep: `^${version}` }
    : {
        "@sidestep/testing": `file:${path.join(clone, "testing")}`,
        sidestep: `file:${path.join(clone, "dist", "package")}`,
      };
}

/** What has to be built in a clone before the project's packages can be installed; undefined: nothing. */
export function lacksBuild(): string | undefined {
  const clone = cloneFolder();
  if (clone === undefined) return undefined;
  const built = [
    path.join(clone, "dist", "package", "package.json"),
    path.join(clone, "testing", "dist", "testing.js"),
  ];
  return built.every((file) => existsSync(file)) ? undefined : `npm run build && npm run build:testing, in ${clone}`;
}

/** Found upwards from this file: it runs from sources, and from a bundle of a clone. */
function cloneFolder(): string | undefined {
  const from = path.dirname(fileURLToPath(import.meta.url));
  for (let folder = from; folder !== path.dirname(folder); folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, "scripts", "testingPackage.ts"))) return folder;
    if (path.basename(folder) === "node_modules") return undefined;
  }
  return undefined;
}
