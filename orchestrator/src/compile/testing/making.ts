import type { DescMessage } from "@bufbuild/protobuf";
import type { DeepPartial, Step } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import type { Random } from "./random.ts";
import { expressionOf } from "./randomExpression.ts";
import type { Kind, Readable } from "./randomExpression.ts";

/** The messages that definitions are made over. */
export interface Vocabulary {
  readonly everything: DescMessage;
  readonly part: DescMessage;
}

/** A definition that is being made. */
export interface Making {
  readonly random: Random;
  readonly words: Vocabulary;
  /** Calls, lets, waits, switches and parallels only. */
  readonly isPlain: boolean;
  /** Its rpc returns a stream: it may yield, and is nobody's child. */
  readonly isStreaming: boolean;
  /** Steps still to be made. */
  left: number;
  ids: number;
}

/** Where steps are made. */
export interface Spot {
  /** Blocks that may still stand in each other here. */
  readonly nesting: number;
  /** It undoes something. */
  readonly isUndoing: boolean;
}

/** A step without its id, and the type of what it comes to. */
export interface MadeKind {
  readonly step: DeepPartial<Step>;
  readonly result: Kind | undefined;
  /** It may come to its end without its result. */
  readonly isUncertain?: boolean;
}

/** Makes steps one after the other; `names` grows by what can be read behind them. */
export type StepsMaker = (making: Making, names: Readable[], spot: Spot) => DeepPartial<Step>[];

/** An expression short enough for a definition. */
export function textOf(making: Making, type: Kind, names: readonly Readable[], isRunning = true): string {
  return boundedText(making, type, names, { isRunning, comprehensions: 2 });
}

/** The same for the inside of a comprehension: one more nesting level is taken. */
export function innerTextOf(making: Making, type: Kind, names: readonly Readable[]): string {
  return boundedText(making, type, names, { isRunning: true, comprehensions: 1 });
}

function boundedText(
  { random }: Making,
  type: Kind,
  names: readonly Readable[],
  around: { readonly isRunning: boolean; readonly comprehensions: number },
): string {
  for (let depth = 3; depth >= 0; depth--) {
    const text = expressionOf(type, { random, names, depth, ...around });
    if (text.length < 1500) return text;
  }
  return type.kind === "bool" ? "true" : "{}";
}

/** From here on it is not sure to be there. */
export function uncertain(name: Readable): Readable {
  return { ...name, isCertain: false };
}
