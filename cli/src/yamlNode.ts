import { isAlias, isMap, isNode, isScalar, isSeq } from "yaml";
import type { Document, Node } from "yaml";

/** One name of a map with its value. */
export interface NodePair {
  readonly key: Node | undefined;
  /** Empty where the key is no plain value. */
  readonly name: string;
  readonly value: Node | undefined;
}

/** The names and values of a map, in order; those of anything else are none. */
export function pairsOf(node: Node | undefined): readonly NodePair[] {
  if (!isMap(node)) return [];
  return node.items.map(({ key, value }) => ({
    key: nodeOf(key),
    name: isScalar(key) ? String(key.value) : "",
    value: nodeOf(value),
  }));
}

/** The elements of a list. */
export function itemsOf(node: Node | undefined): readonly Node[] {
  return isSeq(node) ? node.items.flatMap((item) => nodeOf(item) ?? []) : [];
}

/** A value of a map by its name. */
export function partOf(node: Node | undefined, name: string): Node | undefined {
  return pairsOf(node).find((pair) => pair.name === name)?.value;
}

/** The node that an alias stands for. */
export function behindAlias(document: Document, node: Node | undefined): Node | undefined {
  return isAlias(node) ? node.resolve(document) : node;
}

/** "a list", "a text". */
export function kindOf(node: Node | undefined): string {
  if (isMap(node)) return "a map";
  if (isSeq(node)) return "a list";
  if (!isScalar(node) || node.value === null) return "nothing";
  return typeof node.value === "string" ? "a text" : `a ${typeof node.value}`;
}

function nodeOf(value: unknown): Node | undefined {
  return isNode(value) ? value : undefined;
}
