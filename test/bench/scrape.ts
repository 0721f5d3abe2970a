/** What a process tells at /metrics: the sum of all series of a name whose labels contain the text. */
export type Scrape = (name: string, labels?: string) => number;

/** Asks it. */
export async function scrape(adminPort: number): Promise<Scrape> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  const lines = (await response.text()).split("\n");
  return (name, labels = "") => {
    let sum = 0;
    for (const line of lines) {
      if (!line.startsWith(name) || !["{", " "].includes(line[name.length] ?? "")) continue;
      if (line.includes(labels))
        sum += Number(
          line
            .slice(line.lastIndexOf("} ") + 1)
            .trim()
            .split(" ")[0],
        );
    }
    return sum;
  };
}
