/** "pkg.Service/Method" as typed, a leading slash or a dot instead of the slash forgiven; undefined when it can't be one. */
export function parseWorkflowName(text: string): string | undefined {
  const name = text.replace(/^\//, "");
  if (/^[\w.]+\/\w+$/.test(name)) return name;
  const dotted = /^([\w.]+)\.(\w+)$/.exec(name);
  return dotted === null ? undefined : `${dotted[1] ?? ""}/${dotted[2] ?? ""}`;
}
