/** Sizes of a drawing, in pixels at its natural size. */
export const size = {
  card: { width: 232, height: 56 },
  fork: { width: 196, height: 38 },
  undo: { width: 176, height: 42 },
  mark: 14,
  /** Between steps, above and below. */
  rise: 34,
  /** Between ways, side by side. */
  aisle: 36,
  /** From a fork to the line that its ways hang on, and from there to them. */
  bus: 18,
  label: 24,
  box: { padding: 22, head: 40 },
  /** Room for the line back of a loop. */
  back: 26,
  /** Room for the line around a step that has a condition. */
  bypass: 14,
  margin: 24,
} as const;

/** Characters of a label at most; what is longer is cut. */
export const labelCharacters = 34;

/** About how wide a text is, in the font that drawings use. */
export function labelWidth(text: string): number {
  return Math.min(text.length, labelCharacters) * 6.7 + 18;
}

/** A text that fits, with an ellipsis where it does not. */
export function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1).trimEnd()}…`;
}
