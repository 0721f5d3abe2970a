/** OpenTelemetry's lists in variables: "key=value,key2=value2", percent-encoded. What is malformed is left out. */
export function parseKeyValues(list: string): Readonly<Record<string, string>> {
  const pairs = list.split(",").flatMap((pair) => {
    const end = pair.indexOf("=");
    const key = pair.slice(0, Math.max(0, end)).trim();
    const value = end < 0 ? undefined : decoded(pair.slice(end + 1).trim());
    return key === "" || value === undefined || value === "" ? [] : [[key, value] as const];
  });
  return Object.fromEntries(pairs);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
