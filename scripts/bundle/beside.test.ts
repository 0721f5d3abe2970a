import { build } from "esbuild";
import { expect, test } from "vitest";
import { beside, filesBeside } from "./beside.ts";
import { builtinsWithoutImport } from "./builtins.ts";
import { leftOut } from "./leftOut.ts";
import { pureClients } from "./pureClients.ts";

test("a sidecar reads nothing of grpc-js at its start, and finds it beside itself", async () => {
  const { metafile } = await build({
    entryPoints: ["sidecar/src/main.ts"],
    outdir: "nowhere",
    bundle: true,
    write: false,
    treeShaking: true,
    metafile: true,
    platform: "node",
    format: "esm",
    plugins: [builtinsWithoutImport, leftOut, beside, pureClients],
  });
  const [made] = Object.values(metafile.outputs);
  expect(Object.keys(made?.inputs ?? {}).filter((file) => file.includes("@grpc/"))).toEqual([]);
  const imported = made?.imports.map(({ path }) => path).filter((path) => path.startsWith("."));
  expect(imported).toEqual(Object.values(filesBeside).map((name) => `./${name}.js`));
});
