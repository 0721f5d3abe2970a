import { CelScalar, celFunc, celList, celMap, isCelList, isCelMap, isCelUint } from "@bufbuild/cel";
import type { CelFunc, CelInput, CelList, CelMap, CelUint, CelValue } from "@bufbuild/cel";
import { absent } from "./build.ts";
import { nameOf } from "./convert.ts";
import { spend } from "./meter.ts";
import type { Meter } from "./meter.ts";

const { DYN } = CelScalar;
type Key = string | bigint | boolean | CelUint;

/** What the checker rewrites map literals, and macros with two variables, into. */
export function entryFunctions(meter: Meter): CelFunc[] {
  return [
    celFunc("@map", [DYN], DYN, toCelMap),
    celFunc("@entries", [DYN], DYN, (container) => toEntries(container, meter)),
    celFunc("@entryKey", [DYN], DYN, (entry) => partOf(entry, 0)),
    celFunc("@entryValue", [DYN], DYN, (entry) => partOf(entry, 1)),
    celFunc("@put", [DYN, DYN, DYN], DYN, (map, key, value) => put(map, [[toKey(key), value]])),
    celFunc("@putAll", [DYN, DYN], DYN, (map, added) => {
      if (!isCelMap(added)) throw new Error(`a map is expected, the value is ${nameOf(added)}`);
      spend(meter, added.size);
      return put(map, added);
    }),
  ];
}

/** A map of alternating keys and values; an absent value leaves its key out. The library's own literal forgets why a key could not be had. */
function toCelMap(parts: CelValue): CelMap {
  if (!isCelList(parts)) throw new Error("a list is expected");
  const growing = newGrowing();
  let key: Key | undefined;
  for (const part of parts) {
    if (key === undefined) {
      key = toKey(part);
    } else {
      if (part !== absent) add(growing, key, part);
      key = undefined;
    }
  }
  return celMap(growing.entries);
}

/** A map that only a macro's accumulator holds, and its keys as numbers compare: 1 and 1u are one key. */
interface Growing {
  readonly entries: Map<Key, CelInput>;
  readonly seen: Set<string | bigint | boolean>;
}

const growingMaps = new WeakMap<CelMap, Growing>();

function newGrowing(): Growing {
  return { entries: new Map(), seen: new Set() };
}

function add({ entries, seen }: Growing, key: Key, value: CelInput): void {
  const plain = isCelUint(key) ? key.value : key;
  if (seen.has(plain))
    throw new Error(`the key ${typeof plain === "string" ? JSON.stringify(plain) : String(plain)} is there twice`);
  seen.add(plain);
  entries.set(key, value);
}

/** Adds entries in place: nobody else sees the map while it grows. */
function put(map: CelValue, added: Iterable<readonly [Key, CelInput]>): CelMap {
  if (!isCelMap(map)) throw new Error("a map is expected");
  const known = growingMaps.get(map);
  const growing = known ?? newGrowing();
  if (known === undefined) for (const [key, value] of map) add(growing, key, value);
  for (const [key, value] of added) add(growing, key, value);
  if (known !== undefined) return map;
  const grown = celMap(growing.entries);
  growingMaps.set(grown, growing);
  return grown;
}

function toKey(value: CelValue): Key {
  if (typeof value === "string" || typeof value === "bigint" || typeof value === "boolean" || isCelUint(value))
    return value;
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  throw new Error(`${nameOf(value)} can't be the key of a map`);
}

/** Position and element of a list, key and value of a map: what a macro with two variables walks over. */
function toEntries(container: CelValue, meter: Meter): CelList {
  if (isCelList(container)) {
    spend(meter, container.size);
    let position = 0n;
    return celList([...container].map((element) => celList([position++, element])));
  }
  if (!isCelMap(container)) throw new Error(`${nameOf(container)} has no elements`);
  spend(meter, container.size);
  return celList([...container].map(([key, value]) => celList([key, value])));
}

function partOf(entry: CelValue, at: 0 | 1): CelValue {
  const part = isCelList(entry) ? entry.get(at) : undefined;
  if (part === undefined) throw new Error("an entry is expected");
  return part;
}
