import type { Plugin } from "esbuild";

/**
 * Packages that code in a bundle can name and never reaches. grpc-js loads proto-loader (and with it protobufjs, lodash and long) for
 * channelz and ORCA, and only when one of them is put into a server; their .proto files are not in a bundle anyway. pg
 * loads a native client when NODE_PG_FORCE_NATIVE asks for it, and sockets of Cloudflare's where there are no others.
 */
const packages = /^(@grpc\/proto-loader|pg-native|pg-cloudflare)$/;

/** Puts an error in their place, for whoever reaches them after all. */
export const leftOut: Plugin = {
  name: "left out",
  setup: (build) => {
    build.onResolve({ filter: packages }, ({ path }) => ({ path, namespace: "left out" }));
    build.onLoad({ filter: /./, namespace: "left out" }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not in this bundle`)});`,
    }));
  },
};
