import type { Plugin } from "esbuild";

/** What of a bundle is a file of its own beside it, by the source that is imported when it is needed. */
export const filesBeside = { "sidecar/src/grpc/grpcJsClient.ts": "sidecar-grpc-js" } as const;

/** Leaves dynamic imports of them to be found there: Node reads all of a bundle at its start, also what is hardly ever used. */
export const beside: Plugin = {
  name: "beside",
  setup: (build) => {
    for (const [source, name] of Object.entries(filesBeside)) {
      const file = source.slice(source.lastIndexOf("/"));
      build.onResolve({ filter: new RegExp(`${RegExp.escape(file)}$`) }, ({ kind }) =>
        kind === "dynamic-import" ? { path: `./${name}.js`, external: true } : undefined,
      );
    }
  },
};
