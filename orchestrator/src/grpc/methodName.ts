import { lengthsMax } from "./lengths.ts";

/** "package.Service/Method" taken apart; undefined: it is none, or too long. */
export function parseMethod(text: string): { readonly service: string; readonly name: string } | undefined {
  if (text.length > lengthsMax.name) return undefined;
  const match = /^([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\/([A-Za-z_]\w*)$/.exec(text);
  const [, service, name] = match ?? [];
  return service === undefined || name === undefined ? undefined : { service, name };
}

/** Whether the text is the full name of a service. */
export function isServiceName(text: string): boolean {
  return parseMethod(`${text}/m`) !== undefined;
}
