import path from "node:path";
import { repositoryRoot } from "../../support/program.ts";
import type { CpuProfile, ProfileNode } from "./cpuProfile.ts";

/** Where a process spent its time, by function and by place. */
export interface Widest {
  readonly windowMicros: number;
  /** The window without what it waited. */
  readonly busyMicros: number;
  /** By self time, widest first. */
  readonly frames: readonly Frame[];
  /** The same by folder of ours, package or Node module. */
  readonly places: readonly { readonly name: string; readonly selfMicros: number }[];
}

export interface Frame {
  readonly name: string;
  /** file:line, or empty for what V8 does itself. */
  readonly where: string;
  readonly selfMicros: number;
  /** With all that it called. */
  readonly totalMicros: number;
}

const idle = "(idle)";

/** Adds up profiles of the same program. */
export function toWidest(profiles: readonly CpuProfile[]): Widest {
  const self = new Map<string, Frame>();
  const total = new Map<string, number>();
  const places = new Map<string, number>();
  let windowMicros = 0;
  let idleMicros = 0;
  for (const profile of profiles) {
    const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
    const chains = chainsOf(profile);
    for (const [id, micros] of microsByNode(profile)) {
      const node = nodes.get(id);
      if (node === undefined) continue;
      windowMicros += micros;
      if (node.callFrame.functionName === idle) {
        idleMicros += micros;
        continue;
      }
      const key = keyOf(node);
      const seen = self.get(key);
      self.set(key, { ...frameOf(node), selfMicros: (seen?.selfMicros ?? 0) + micros, totalMicros: 0 });
      places.set(placeOf(node), (places.get(placeOf(node)) ?? 0) + micros);
      for (const one of chains.get(id) ?? []) total.set(one, (total.get(one) ?? 0) + micros);
    }
  }
  return {
    windowMicros,
    busyMicros: windowMicros - idleMicros,
    frames: [...self]
      .map(([key, frame]) => Object.assign(frame, { totalMicros: total.get(key) ?? frame.selfMicros }))
      .toSorted((a, b) => b.selfMicros - a.selfMicros),
    places: [...places]
      .map(([name, selfMicros]) => ({ name, selfMicros }))
      .toSorted((a, b) => b.selfMicros - a.selfMicros),
  };
}

/** The report that people read. */
export function toText(name: string, widest: Widest, most = 30): string {
  const share = (micros: number): string => `${((micros / widest.busyMicros) * 100).toFixed(1)} %`.padStart(8);
  const busy = ((widest.busyMicros / widest.windowMicros) * 100).toFixed(0);
  return [
    `${name}: busy for ${busy} % of ${(widest.windowMicros / 1e6).toFixed(1)} s; shares are of what it was busy`,
    "",
    "    self    total  function",
    ...widest.frames
      .slice(0, most)
      .map((it) => `${share(it.selfMicros)} ${share(it.totalMicros)}  ${it.name}  ${it.where}`),
    "",
    "    self  place",
    ...widest.places.slice(0, most).map((it) => `${share(it.selfMicros)}  ${it.name}`),
    "",
  ].join("\n");
}

/** A sample tells what ran until the next one. */
function microsByNode({ samples, timeDeltas }: CpuProfile): ReadonlyMap<number, number> {
  const micros = new Map<number, number>();
  samples.forEach((id, index) => micros.set(id, (micros.get(id) ?? 0) + Math.max(0, timeDeltas[index + 1] ?? 0)));
  return micros;
}

/** Of each node, the keys of itself and of all that it was called by, each once however often it called itself. */
function chainsOf({ nodes }: CpuProfile): ReadonlyMap<number, ReadonlySet<string>> {
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)));
  const chains = new Map<number, ReadonlySet<string>>();
  for (const node of nodes) {
    const chain = new Set<string>();
    for (let at: ProfileNode | undefined = node; at !== undefined; at = parents.get(at.id)) chain.add(keyOf(at));
    chains.set(node.id, chain);
  }
  return chains;
}

function keyOf({ callFrame }: ProfileNode): string {
  return `${callFrame.functionName} ${callFrame.url}:${callFrame.lineNumber}`;
}

function frameOf({ callFrame }: ProfileNode): { readonly name: string; readonly where: string } {
  const { functionName, url, lineNumber } = callFrame;
  return { name: functionName || "(anonymous)", where: url === "" ? "" : `${shortPath(url)}:${lineNumber + 1}` };
}

function placeOf({ callFrame }: ProfileNode): string {
  const { functionName, url } = callFrame;
  if (url === "") return functionName.startsWith("(") ? functionName : "(native)";
  const file = shortPath(url);
  const [first = "", second = ""] = file.split("/");
  if (file.startsWith("@")) return `${first}/${second}`;
  if (file.startsWith("node:")) return file;
  return url.includes("/node_modules/") ? first : path.dirname(file);
}

function shortPath(url: string): string {
  const file = url.replace(/^file:\/\//, "");
  const packages = file.lastIndexOf("/node_modules/");
  if (packages >= 0) return file.slice(packages + "/node_modules/".length);
  return file.startsWith("/") ? path.relative(repositoryRoot, file) : file;
}
