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
    let steps = weightOf(target);
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

/** Steps beyond looking through what goes in once: text that comes out longer, and regular expressions; charged before they are made. */
function growthOf(name: string, target: CelValue | undefined, args: readonly CelValue[]): number {
  switch (name) {
    case "matches":
      return target === undefined ? matchCost(args[0], args[1]) : matchCost(target, args[0]);
    case "join":
      return joinedLength(target, args[0]) >> 6;
    case "replace":
      return replacedLength(target, args[0], args[1]) / 64;
    default:
      return 0;
  }
}

/** RE2 looks at each part of the pattern at each character; a {1000} is a thousand parts, and all are made before the first look. */
function matchCost(text: CelValue | undefined, pattern: CelValue | undefined): number {
  if (typeof text !== "string" || typeof pattern !== "string") return 0;
  const parts = partsOf(pattern);
  return 16 + parts + (parts * text.length) / 16;
}

/** How many parts a pattern has once its counted repetitions are written out; at least, where it is no pattern. */
function partsOf(pattern: string): number {
  const open: number[] = [];
  let sum = 0;
  let last = 0;
  for (const [token] of pattern.matchAll(/\\[\s\S]|\{(\d+)(?:,(\d*))?\}|\[(?:\\[\s\S]|[^\]\\])*\]|[\s\S]/g)) {
    const repeated = /^\{(\d+)(?:,(\d*))?\}$/.exec(token);
    if (token === "(") {
      open.push(sum);
      sum = 0;
    } else if (token === ")") {
      last = sum + 1;
      sum = (open.pop() ?? 0) + last;
    } else if (repeated !== null) {
      const times = Math.min(1000, Math.max(Number(repeated[1]), Number(repeated[2] ?? "0"), 1));
      sum += last * (times - 1);
      last *= times;
    } else {
      last = 1;
      sum += 1;
    }
  }
  return open.reduce((total, part) => total + part, sum);
}

function joinedLength(list: CelValue | undefined, separator: CelValue | undefined): number {
  if (!isCelList(list)) return 0;
  let length = typeof separator === "string" ? separator.length * list.size : 0;
  for (const item of list) length += typeof item === "string" ? item.length : 0;
  return length;
}

function replacedLength(text: CelValue | undefined, pattern: CelValue | undefined, by: CelValue | undefined): number {
  if (typeof text !== "string" || typeof pattern !== "string" || typeof by !== "string") return 0;
  if (pattern === "") return (text.length + 1) * by.length;
  let count = 0;
  for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + pattern.length)) count += 1;
  return count * by.length;
}
