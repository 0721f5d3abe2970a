import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const root = process.cwd();

const packageJson = { name: "somebodys", private: true, type: "module" };
const tsconfig = {
  compilerOptions: {
    module: "nodenext",
    target: "esnext",
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    types: ["node"],
  },
  include: ["*.ts"],
};
/** All of docs/testing.md, as one file of tests. */
const guide = [...readFileSync("docs/testing.md", "utf8").matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(
  ([, code]) => code,
);
/** What Node 20 has not got, taken away. */
const asNode20 = `
for (const [owner, names] of [
  [Map, ["groupBy"]],
  [Object, ["groupBy"]],
  [Promise, ["withResolvers", "try"]],
  [Array, ["fromAsync"]],
  [RegExp, ["escape"]],
  [Error, ["isError"]],
  [Iterator.prototype, ["map", "filter", "take", "drop", "flatMap", "reduce", "toArray", "forEach", "some", "every", "find"]],
  [Set.prototype, ["union", "intersection", "difference", "symmetricDifference", "isSubsetOf", "isSupersetOf", "isDisjointFrom"]],
  [globalThis, ["Iterator", "DisposableStack", "AsyncDisposableStack", "SuppressedError", "Float16Array", "URLPattern"]],
])
  for (const name of names) delete owner[name];
const { fails, loadContracts, openSandbox } = await import("@sidestep/testing");
const contracts = await loadContracts("proto");
const fakes = {
  "payment.v1.PaymentService/Charge": { chargeId: "ch-1", riskScore: 0.1 },
  "shipping.v1.ShippingService/Ship": fails("FAILED_PRECONDITION", "not on the moon"),
};
const box = openSandbox(contracts, { stubs: 1, fakes });
const order = { orderId: "o-1", items: [{ sku: "cup", quantity: 2 }], total: { currency: "EUR", units: 20n } };
const run = await box.start("shop.v1.OrderWorkflow/Fulfil", order).ended();
console.log(run.state, run.status.code, typeof Map.groupBy);
`;

test("the packed kit runs and typechecks in a project of somebody else's", { timeout: 300_000 }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "sidestep-kit-"));
  try {
    const [made, project] = [path.join(folder, "made"), path.join(folder, "project")];
    await mkdir(made);
    await cp("testing/package.json", path.join(made, "package.json"));
    await run(process.execPath, ["scripts/testingPackage.ts", path.join(made, "dist")]);
    await run("npm", ["pack", "--pack-destination", folder, "--loglevel=error"], { cwd: made });
    const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
    expect(tarball).toBe("sidestep-testing-0.1.0.tgz");
    const installed = path.join(project, "node_modules", "@sidestep", "testing");
    await mkdir(installed, { recursive: true });
    await run("tar", ["-xzf", path.join(folder, tarball ?? ""), "-C", installed, "--strip-components=1"]);
    // What npm would install beside it: what its package.json asks for, and the project's own tools.
    const { dependencies } = JSON.parse(await readFile(path.join(installed, "package.json"), "utf8")) as {
      readonly dependencies: Readonly<Record<string, string>>;
    };
    for (const name of [...Object.keys(dependencies), "vitest", "typescript", "@types/node"]) {
      const place = path.join(project, "node_modules", name);
      await mkdir(path.dirname(place), { recursive: true });
      await symlink(path.join(root, "node_modules", name), place);
    }
    await cp("examples/order/proto", path.join(project, "proto"), { recursive: true });
    await writeFile(path.join(project, "package.json"), JSON.stringify(packageJson));
    await writeFile(path.join(project, "tsconfig.json"), JSON.stringify(tsconfig));
    await writeFile(path.join(project, "order.test.ts"), guide.join("\n"));
    const typed = await run(process.execPath, [path.join(root, "node_modules/typescript/bin/tsc")], {
      cwd: project,
    }).catch((error: unknown) => error as { readonly stdout: string });
    expect(typed.stdout).toBe("");
    await writeFile(path.join(project, "asNode20.js"), asNode20);
    expect(await run(process.execPath, ["asNode20.js"], { cwd: project })).toMatchObject({
      stdout: "COMPENSATED FAILED_PRECONDITION undefined\n",
    });
    const vitest = path.join(root, "node_modules/vitest/vitest.mjs");
    await run(process.execPath, [vitest, "run", "--reporter=json", "--outputFile=report.json"], { cwd: project });
    const report: unknown = JSON.parse(await readFile(path.join(project, "report.json"), "utf8"));
    expect(report).toMatchObject({ numPassedTests: 7, numFailedTests: 0 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
