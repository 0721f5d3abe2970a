/** JSON as it comes from the API: protobuf's canonical form, in which what has its default is left out. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };
export type JsonObject = { readonly [name: string]: Json | undefined };

/** The value as an object; an empty one when it is none. */
export function object(json: Json | undefined): JsonObject {
  return typeof json === "object" && json !== null && !isList(json) ? json : {};
}

/** A field as a text; empty when it is not there. */
export function text(of: JsonObject, name: string): string {
  const value = of[name];
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

/** A field as a number, of 64 bits also; 0 when it is not there. */
export function number(of: JsonObject, name: string): number {
  const value = of[name];
  const read = typeof value === "string" ? Number(value) : value;
  return typeof read === "number" && Number.isFinite(read) ? read : 0;
}

/** A field that is true or false. */
export function truth(of: JsonObject, name: string): boolean {
  return of[name] === true;
}

/** A Timestamp field in milliseconds; undefined when it is not there. */
export function time(of: JsonObject, name: string): number | undefined {
  const value = of[name];
  const read = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(read) ? undefined : read;
}

/** A Duration field in milliseconds; undefined when it is not there. */
export function duration(of: JsonObject, name: string): number | undefined {
  const value = of[name];
  const seconds = typeof value === "string" && value.endsWith("s") ? Number(value.slice(0, -1)) : Number.NaN;
  return Number.isNaN(seconds) ? undefined : seconds * 1000;
}

/** A repeated field, each element read. */
export function list<T>(of: JsonObject, name: string, read: (one: JsonObject) => T): readonly T[] {
  const value = of[name];
  return isList(value) ? value.map((one) => read(object(one))) : [];
}

/** A repeated field of texts. */
export function texts(of: JsonObject, name: string): readonly string[] {
  const value = of[name];
  return isList(value) ? value.filter((one) => typeof one === "string") : [];
}

/** A map of texts. */
export function textMap(of: JsonObject, name: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(object(of[name])).flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])),
  );
}

/** An enum field: one of its names, or `otherwise`. */
export function oneOf<T extends string>(of: JsonObject, name: string, names: readonly T[], otherwise: T): T {
  const value = of[name];
  return names.find((one) => one === value) ?? otherwise;
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
