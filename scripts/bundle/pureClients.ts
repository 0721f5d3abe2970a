import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";

const generated = /[/\\]proto[/\\]gen[/\\].*\.ts$/;

/**
 * Generated code makes a client of each service with grpc-js as it is loaded. Where nobody uses one, neither client nor grpc-js has to be in the
 * bundle: messages alone need neither.
 */
export const pureClients: Plugin = {
  name: "pure clients",
  setup: (build) => {
    build.onLoad({ filter: generated }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replaceAll(
        "= makeGenericClientConstructor(",
        "= /* @__PURE__ */ makeGenericClientConstructor(",
      ),
      loader: "ts",
    }));
    build.onResolve({ filter: /^@grpc\/grpc-js$/ }, async ({ path, pluginData, importer, ...about }) => {
      if (pluginData === resolving || !generated.test(importer)) return undefined;
      const { kind, resolveDir } = about;
      const found = await build.resolve(path, { kind, resolveDir, importer, pluginData: resolving });
      return found.errors.length > 0 ? found : { ...found, sideEffects: false };
    });
  },
};

const resolving = "pure clients";
