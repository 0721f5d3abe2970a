import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const lowest = 10_000;
// From 32768 on the kernel hands ports to outgoing connections: a loop that connects to a closed port there can meet itself.
const highest = 32_767;
const reservations = path.join(os.tmpdir(), "sidestep-test-ports");
const mine = new Set<number>();

/**
 * A TCP port on 127.0.0.1 that is free now and that no other test on this machine is given while this one runs: a file per
 * port names the holder's pid.
 */
export async function freePort(): Promise<number> {
  mkdirSync(reservations, { recursive: true });
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (!reserve(port)) continue;
    if (await canListen(port)) return port;
    release(port);
  }
}

function reserve(port: number): boolean {
  const file = path.join(reservations, String(port));
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
  } catch {
    if (isHeld(file)) return false;
    rmSync(file, { force: true });
    return false;
  }
  if (mine.size === 0) process.once("exit", () => mine.forEach(release));
  mine.add(port);
  return true;
}

function release(port: number): void {
  rmSync(path.join(reservations, String(port)), { force: true });
}

function isHeld(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    if (pid === 0) return true;
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
