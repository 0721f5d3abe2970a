import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";

/** What a run of buf printed, and how it ended. */
export interface BufResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const outputMax = 4 * 1024 * 1024;

/** Runs the buf that this package depends on. Throws when it isn't installed or can't be started. */
export async function runBuf(args: readonly string[], folder: string): Promise<BufResult> {
  const [program, ...launcher] = bufCommand();
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...launcher, ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (stdout.length < outputMax) stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (stderr.length < outputMax) stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ exitCode: code ?? 1, stdout, stderr }));
  });
}

const architectures: Readonly<Record<string, string>> = {
  "linux arm64": "linux-aarch64",
  "linux arm": "linux-armv7",
};

/** The program for this machine itself, or buf's launcher, which knows where else it may be and costs a Node more. */
function bufCommand(): readonly [string, ...string[]] {
  const launcher = createRequire(import.meta.url).resolve("@bufbuild/buf/package.json");
  const { platform, arch } = process;
  const machine = architectures[`${platform} ${arch}`] ?? `${platform}-${arch}`;
  try {
    const name = platform === "win32" ? "buf.exe" : "buf";
    return [createRequire(launcher).resolve(`@bufbuild/buf-${machine}/bin/${name}`)];
  } catch {
    return [process.execPath, path.join(path.dirname(launcher), "bin", "buf")];
  }
}
