import type { Expression } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { DefinedSetting } from "../../../proto/gen/sidestep/v1/definitions.ts";

/** A setting that is CEL; none where nothing was written. */
export function expressionOf(name: string, expression: Expression | undefined): readonly DefinedSetting[] {
  return expression === undefined ? [] : [{ name, text: expression.source, expression: true }];
}

/** A setting that is a plain text; none where it is empty. */
export function textOf(name: string, text: string): readonly DefinedSetting[] {
  return text === "" ? [] : [{ name, text, expression: false }];
}

/** A duration as definitions write it: "300ms", "1.5s", "10m", "7d". */
export function timeOf(name: string, ms: number | undefined): readonly DefinedSetting[] {
  if (ms === undefined) return [];
  const unit = units.find(({ size }) => ms >= size && ms % size === 0);
  const text = unit === undefined ? (ms >= 1000 ? `${ms / 1000}s` : `${ms}ms`) : `${ms / unit.size}${unit.name}`;
  return textOf(name, text);
}

const units = [
  { name: "d", size: 86_400_000 },
  { name: "h", size: 3_600_000 },
  { name: "m", size: 60_000 },
  { name: "s", size: 1000 },
] as const;
