import { celFunc, celMethod, isCelError, isCelList } from "@bufbuild/cel";
import type { CelFunc, CelInput, CelValue } from "@bufbuild/cel";
import { nameOf } from "./convert.ts";
import { spend, weightOf } from "./meter.ts";
import type { Meter } from "./meter.ts";

const weighed: ReadonlySet<string> = new Set([
  "@in",
  "_==_",
  "_!=_",
  "contains",
  "startsWith",
  "endsWith",
  "matches",
  "size",
  "indexOf",
  "lastIndexOf",
  "replace",
  "split",
  "join",
  "lowerAscii",
  "upperAscii",
  "trim",
  "substring",
  "format",
  "string",
  "bytes",
  "reverse",
]);

/** The same functions, those that look through whole values charged for it; text put together is charged too. */
export function weighedFunctions(functions: Iterable<CelFunc>, meter: Meter): CelFunc[] {
  const charged: CelFunc[] = [];
  for (const func of functions) {
    const adds = func.name === "_+_" && (func.arguments[0]?.name === "string" || func.arguments[0]?.name === "bytes");
    if (weighed.has(func.name) || adds) charged.push(weighedFunction(func, meter));
  }
  return charged;
}

function weighedFunction(func: CelFunc, meter: Meter): CelFunc {
  const call = (target: CelValue | undefined, args: CelValue[]): CelInput => {
    let steps = func.name === "matches" ? 16 : 0;
    steps += weightOf(target);
    for (const arg of args) steps += weightOf(arg);
    steps += growthOf(func.name, target, args);
    if (steps > 0) spend(meter, steps);
    const result = func.call(0, target, args);
    if (result === undefined) throw new Error(`${func.name} takes no ${args.map(nameOf).join(", ")}`);
    if (isCelError(result)) throw new Error(result.message);
    return result;
  };
  if (func.target === undefined)
    return celFunc(func.name, func.arguments, func.result, (...args: CelValue[]) => call(undefined, args));
  return celMethod(func.name, func.target, func.arguments, func.result, function (...args: CelValue[]) {
    return call(this, args);
  });
}

/** Steps for text that comes out longer than what goes in: charged before it is made. */
function growthOf(name: string, target: CelValue | undefined, args: readonly CelValue[]): number {
  if (name === "join" && isCelList(target)) {
    const separator = typeof args[0] === "string" ? args[0].length : 0;
    let length = separator * target.size;
    for (const item of target) length += typeof item === "string" ? item.length : 0;
    return length >> 6;
  }
  const [pattern, by] = args;
  if (name !== "replace" || typeof target !== "string" || typeof pattern !== "string" || typeof by !== "string")
    return 0;
  return Math.floor((occurrences(target, pattern) * by.length) / 64);
}

function occurrences(text: string, pattern: string): number {
  if (pattern === "") return text.length + 1;
  let count = 0;
  for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + pattern.length)) count += 1;
  return count;
}
