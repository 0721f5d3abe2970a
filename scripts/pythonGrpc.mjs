// Finds a Python that has grpcio and can make stubs, or unpacks Debian's into the cache. Nothing is installed, no root needed.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "./cacheFolder.mjs";
import { aptObstacle, unpackFromOwnSources } from "./privateApt.mjs";

const debianPackages = ["python3", "python3-grpcio", "python3-protobuf", "protobuf-compiler", "protobuf-compiler-grpc"];
const remedy =
  "What to do: install grpcio and grpcio-tools for a Python 3 (pip install grpcio grpcio-tools) and set SIDESTEP_PYTHON to it.";

/**
 * The path of a Python 3 that has grpcio and beside which stubs can be made. Order: SIDESTEP_PYTHON (used or refused), python3
 * on PATH, /usr/bin/python3, the cache folder, the packages of the machine's own Debian release. Throws an Error that says
 * what to do when none can be had.
 */
export function ensurePython({ say = (line) => process.stderr.write(`${line}\n`) } = {}) {
  const named = process.env.SIDESTEP_PYTHON;
  if (named !== undefined && named !== "") {
    const obstacle = obstacleOf(named);
    if (obstacle === undefined) return named;
    throw new Error(`SIDESTEP_PYTHON names ${named}, which can't be used: ${obstacle}\n${remedy}`);
  }
  const folder = path.join(cacheFolder("python"), `grpc-${os.arch()}`);
  const kept = path.join(folder, "bin", "python3");
  const found = ["python3", "/usr/bin/python3", kept].find((python) => obstacleOf(python) === undefined);
  if (found !== undefined) return found;
  const noApt = aptObstacle();
  if (noApt !== undefined)
    throw new Error(`No Python 3 with grpcio was found, and it can't be fetched: ${noApt}.\n${remedy}`);
  say("python: fetching Debian's grpcio …");
  try {
    fetchDebianPython(folder);
  } catch (error) {
    throw new Error(
      `No Python 3 with grpcio was found, and Debian's packages can't be had: ${error.message}\n${remedy}`,
      { cause: error },
    );
  }
  const obstacle = obstacleOf(kept);
  if (obstacle !== undefined) throw new Error(`Debian's grpcio was fetched but does not work: ${obstacle}\n${remedy}`);
  say(`python: grpcio is in ${folder}`);
  return kept;
}

/** Writes `<name>_pb2.py` and `<name>_pb2_grpc.py` of `files` (relative to `protoRoot`) below `out`. Throws with protoc's words. */
export function makePythonStubs({ python, protoRoot, files, out }) {
  mkdirSync(out, { recursive: true });
  const request = [`-I${protoRoot}`, `--python_out=${out}`, `--grpc_python_out=${out}`, ...files];
  const withPlugin = (plugin) => [`--plugin=protoc-gen-grpc_python=${plugin}`, ...request];
  const beside = path.dirname(python);
  const attempts = [
    ...(existsSync(path.join(beside, "protoc"))
      ? [[path.join(beside, "protoc"), withPlugin(path.join(beside, "grpc_python_plugin"))]]
      : []),
    [python, ["-m", "grpc_tools.protoc", ...request]],
    ["protoc", withPlugin(findOnPath("grpc_python_plugin"))],
  ];
  const failures = [];
  for (const [command, args] of attempts) {
    const result = spawnSync(command, args, { encoding: "utf8" });
    if (result.status === 0) return;
    failures.push(`${command}: ${(result.error?.message ?? result.stderr).trim().split("\n").at(-1)}`);
  }
  throw new Error(`Python stubs can't be made: ${failures.join("; ")}`);
}

/** Makes and imports the stubs of a small service: library and compiler have to fit each other. */
function obstacleOf(python) {
  if (python.includes("/") && !existsSync(python)) return "there is no such file.";
  const imported = spawnSync(python, ["-c", "import grpc, google.protobuf"], { encoding: "utf8" });
  if (imported.status !== 0) return `${(imported.error?.message ?? imported.stderr).trim().split("\n").at(-1)}.`;
  const work = mkdtempSync(path.join(os.tmpdir(), "sidestep-python-"));
  try {
    writeFileSync(
      path.join(work, "probe.proto"),
      'syntax = "proto3"; package probe; message Ping {} service Probe { rpc Send(Ping) returns (Ping); }',
    );
    makePythonStubs({ python, protoRoot: work, files: ["probe.proto"], out: work });
    const probe = spawnSync(python, ["-c", "import probe_pb2_grpc"], { cwd: work, encoding: "utf8" });
    return probe.status === 0 ? undefined : `${probe.stderr.trim().split("\n").at(-1)}.`;
  } catch (error) {
    return `${error.message}.`;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function fetchDebianPython(folder) {
  const work = mkdtempSync(path.join(cacheFolder("python"), ".fetch-"));
  try {
    const into = path.join(work, "files");
    unpackFromOwnSources({ packages: debianPackages, into, work });
    writeLaunchers(into, folder);
    rmSync(folder, { recursive: true, force: true });
    renameSync(into, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Small shell programs that find the unpacked libraries; `exec` keeps one pid, so that signals arrive. */
function writeLaunchers(files, home) {
  const libraries = ["usr/lib", "lib"]
    .flatMap((base) => {
      const folder = path.join(files, base);
      return existsSync(folder)
        ? readdirSync(folder)
            .filter((name) => /-linux-/.test(name))
            .map((name) => path.join(home, base, name))
        : [];
    })
    .join(":");
  const ownPython = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : path.join(home, "usr/bin/python3");
  mkdirSync(path.join(files, "bin"), { recursive: true });
  for (const [name, program] of [
    ["python3", ownPython],
    ["protoc", programOf("protoc", files, home)],
    ["grpc_python_plugin", programOf("grpc_python_plugin", files, home)],
  ]) {
    const file = path.join(files, "bin", name);
    writeFileSync(
      file,
      [
        "#!/bin/sh",
        `export LD_LIBRARY_PATH='${libraries}'"\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`,
        `export PYTHONPATH='${path.join(home, "usr/lib/python3/dist-packages")}'"\${PYTHONPATH:+:$PYTHONPATH}"`,
        `exec '${program}' "$@"`,
        "",
      ].join("\n"),
    );
    chmodSync(file, 0o755);
  }
}

function programOf(name, files, home) {
  return existsSync(path.join(files, "usr/bin", name)) ? path.join(home, "usr/bin", name) : `/usr/bin/${name}`;
}

function findOnPath(program) {
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => path.join(folder, program)).find((file) => existsSync(file)) ?? program;
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    process.stdout.write(`${ensurePython()}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
