import type { Program } from "../../support/program.ts";
import type { CpuProfile } from "./cpuProfile.ts";

/** A look into a Node process, for just as long as something is measured. */
export interface Inspector extends Disposable {
  startProfile(): Promise<void>;
  stopProfile(): Promise<CpuProfile>;
  /** What its objects take, in MiB, once those that nobody holds are gone. */
  heapMiB(): Promise<number>;
}

/** The flag that a process needs to be looked into. It costs nothing until somebody looks. */
export const inspectFlag = "--inspect=127.0.0.1:0";

const samplingMicros = 500;

/** Connects to a program that was started with `inspectFlag`. */
export async function openInspector(program: Program): Promise<Inspector> {
  const line = await program.waitForLine(/^Debugger listening on ws:/);
  const socket = new WebSocket(line.slice("Debugger listening on ".length));
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error(`no inspector in ${program.name}`)));
  });
  const waiting = new Map<number, (result: unknown) => void>();
  let last = 0;
  socket.addEventListener("message", ({ data }) => {
    const reply = JSON.parse(String(data)) as { readonly id?: number; readonly result?: unknown };
    if (reply.id === undefined) return;
    waiting.get(reply.id)?.(reply.result);
    waiting.delete(reply.id);
  });
  const ask = (method: string, params: object = {}): Promise<unknown> =>
    new Promise((resolve) => {
      const id = (last += 1);
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ id, method, params }));
    });
  await ask("Profiler.enable");
  await ask("Profiler.setSamplingInterval", { interval: samplingMicros });
  return {
    startProfile: async () => void (await ask("Profiler.start")),
    stopProfile: async () => ((await ask("Profiler.stop")) as { readonly profile: CpuProfile }).profile,
    heapMiB: async () => {
      await ask("HeapProfiler.collectGarbage");
      const { usedSize } = (await ask("Runtime.getHeapUsage")) as { readonly usedSize: number };
      return Math.round((usedSize / 2 ** 20) * 10) / 10;
    },
    [Symbol.dispose]: () => socket.close(),
  };
}
