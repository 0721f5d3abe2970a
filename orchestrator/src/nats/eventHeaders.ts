import { headerLine } from "../../../runtime/src/publisher.ts";

/** A raw header block, "NATS/1.0" and lines, by names in small letters; of several of one name the first. */
export function parseHeaders(block: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of block.split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}

/** Lines of headers; what can't be one is left out. */
export function headerLines(headers: ReadonlyMap<string, string>): string {
  let lines = "";
  for (const [name, value] of headers)
    if (/^[!#-9;-~]+$/.test(name) && !/[\r\n]/.test(value)) lines += headerLine(name, value);
  return lines;
}
