import type { Dialect } from "./macro.ts";
import type { Issue } from "./issue.ts";
import { closing, misplaced, tooDeep } from "./slip.ts";
import type { Frame, Scene } from "./slip.ts";
import type { Token } from "./token.ts";
import { newTree } from "./tree.ts";
import type { Tree } from "./tree.ts";

/** Where the parser is, and what it has made so far. */
export interface Walk {
  readonly tokens: readonly Token[];
  at: number;
  readonly frames: Frame[];
  readonly depthMax: number;
  readonly dialect: Dialect;
  readonly tree: Tree;
  /** The first thing that is wrong; whoever gets no node back goes no further. */
  issue: Issue | undefined;
}

const endToken: Token = { kind: "end", text: "", start: 0, end: 0 };

/** The word at hand, or one ahead of it. */
export function peek(walk: Walk, ahead = 0): Token {
  return walk.tokens[walk.at + ahead] ?? walk.tokens.at(-1) ?? endToken;
}

/** Is the word this sign? */
export function isSign(token: Token, text: string): boolean {
  return token.kind === "symbol" && token.text === text;
}

/** Goes on behind the word at hand. */
export function take(walk: Walk): Token {
  const token = peek(walk);
  walk.at += 1;
  return token;
}

/** The innermost bracket that is open. */
export function top(walk: Walk): Frame {
  return walk.frames.at(-1) ?? { kind: "whole", open: undefined, atKey: false, fresh: true };
}

/** The place at hand, for what is told of it. */
export function scene(walk: Walk): Scene {
  const before = walk.at === 0 ? undefined : walk.tokens[walk.at - 1];
  const earlier = walk.at < 2 ? undefined : walk.tokens[walk.at - 2];
  return { earlier, before, token: peek(walk), next: walk.tokens[walk.at + 1], inside: top(walk) };
}

/** Notes what is wrong, unless something was before; the result says that there is no node. */
export function fail(walk: Walk, issue: Issue): undefined {
  walk.issue ??= issue;
  return undefined;
}

/** Opens the bracket at hand. */
export function enter(walk: Walk, kind: Frame["kind"]): Frame | undefined {
  const open = peek(walk);
  if (walk.frames.length >= walk.depthMax) return fail(walk, tooDeep(walk.depthMax, open));
  take(walk);
  const frame: Frame = { kind, open, atKey: kind === "map" || kind === "message", fresh: true };
  walk.frames.push(frame);
  return frame;
}

/** Behind an entry: true after a comma; false after the closing bracket, or when neither stands there. */
export function goesOn(walk: Walk, inside: Frame): boolean {
  const token = peek(walk);
  const isSingle = inside.kind === "group" || inside.kind === "index";
  if (isSign(token, ",") && !isSingle) {
    take(walk);
    inside.fresh = true;
    inside.atKey = inside.kind === "map" || inside.kind === "message";
    return inside.kind === "call" || !isClosed(walk, inside);
  }
  if (!isClosed(walk, inside)) fail(walk, misplaced(scene(walk)));
  return false;
}

function isClosed(walk: Walk, inside: Frame): boolean {
  const token = peek(walk);
  if (token.kind !== "symbol" || token.text !== closing[inside.kind]) return false;
  take(walk);
  return true;
}

/** Whether a ? stands before an entry. */
export function isOptionalEntry(walk: Walk): boolean {
  if (!isSign(peek(walk), "?") || !walk.dialect.optionalSyntax) return false;
  take(walk);
  return true;
}

/** `[]`, or `[,]`. */
export function isEmpty(walk: Walk, inside: Frame): boolean {
  const next = peek(walk, 1);
  if (isSign(peek(walk), ",") && next.kind === "symbol" && next.text === closing[inside.kind]) take(walk);
  return isClosed(walk, inside);
}

/** The beginning of an expression. */
export function newWalk(tokens: readonly Token[], depthMax: number, dialect: Dialect): Walk {
  const whole: Frame = { kind: "whole", open: undefined, atKey: false, fresh: true };
  return { tokens, at: 0, frames: [whole], depthMax, dialect, tree: newTree(), issue: undefined };
}
