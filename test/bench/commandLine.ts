/** Lets an option stand without its value: `--profile` becomes `--profile=`, `--profile folder` becomes `--profile=folder`. */
export function withOptionalValue(args: readonly string[], option: string): string[] {
  const at = args.indexOf(option);
  if (at < 0) return [...args];
  const value = args[at + 1];
  const isGiven = value !== undefined && !value.startsWith("-");
  return [...args.slice(0, at), `${option}=${isGiven ? value : ""}`, ...args.slice(at + (isGiven ? 2 : 1))];
}

/** "64,256" as numbers. */
export function numbersOf(text: string): readonly number[] {
  return text.split(",").map(Number);
}
