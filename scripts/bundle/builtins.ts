import { isBuiltin } from "node:module";
import type { Plugin } from "esbuild";

/**
 * Takes Node's own modules from `process.getBuiltinModule`. An `import` of one reads each of its exports, and so loads what hides behind a
 * getter: undici, whole, behind `node:http`, which costs more than all of gRPC.
 */
export const builtinsWithoutImport = builtins(false);

/**
 * The same for a bundle in parts. There a dynamic import would become one of a file of its own, which has no exports by name: that is left to
 * Node, at its price, for what is loaded only when it is needed.
 */
export const builtinsOfParts = builtins(true);

function builtins(inParts: boolean): Plugin {
  return {
    name: "builtins without import",
    setup: (build) => {
      build.onResolve({ filter: /^[\w:/]+$/ }, ({ path, kind }) => {
        if (!isBuiltin(path)) return undefined;
        return kind === "require-call" || (inParts && kind === "dynamic-import")
          ? { path, external: true }
          : { path, namespace: "builtin" };
      });
      build.onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
        contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
      }));
    },
  };
}
