// Generates proto/gen with buf and ts-proto when it is missing or older than what it is made from.
// Plain JavaScript for Node 18 and later, without a dependency. Run directly (npm's `prepare`): does nothing where the
// development dependencies are not installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Makes proto/gen what the .proto files say. Throws an Error with buf's own words. */
export function ensureGeneratedCode({ root, say }) {
  const stamp = path.join(root, "proto", "gen", ".stamp");
  const wanted = fingerprint(root);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  say("generated code: buf generate …");
  const work = mkdtempSync(path.join(root, "proto", ".gen-"));
  try {
    const bin = path.join(root, "node_modules", ".bin");
    const result = spawnSync(path.join(bin, "buf"), ["generate", "--output", work], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` },
    });
    if (result.status !== 0) throw new Error(`buf generate failed:\n${result.stderr || result.error?.message}`);
    const made = path.join(work, "proto", "gen");
    writeFileSync(path.join(made, ".stamp"), wanted);
    replaceFolder(path.join(root, "proto", "gen"), made, path.join(work, "old"));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function replaceFolder(target, made, old) {
  if (existsSync(target)) renameSync(target, old);
  renameSync(made, target);
}

function fingerprint(root) {
  const hash = createHash("sha256");
  const inputs = [
    "buf.yaml",
    "buf.gen.yaml",
    "node_modules/ts-proto/package.json",
    "scripts/protocGenImage.mjs",
    ...["proto", "runtime/proto"].flatMap((folder) => protoFiles(root, folder)).sort(),
  ];
  for (const file of inputs) hash.update(`${file}\n`).update(readFileSync(path.join(root, file)));
  return hash.digest("hex");
}

function protoFiles(root, folder) {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "gen" || entry.name.startsWith(".") ? [] : protoFiles(root, file);
    return entry.name.endsWith(".proto") ? [file] : [];
  });
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
  const say = (line) => process.stderr.write(`${line}\n`);
  if (existsSync(path.join(root, "node_modules", "ts-proto"))) ensureGeneratedCode({ root, say });
  else say("generated code: left out, the development dependencies are not installed");
}
