import { fromBinary, fromJson, toJson } from "@bufbuild/protobuf";
import type { DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import type { Fixture, Fixtures } from "./fixtures.ts";

/** Takes the fixture of a call: the first that fits its request and is not used up; undefined: none. */
export type PickFixture = (method: string, input: DescMessage, request: Uint8Array) => Fixture | undefined;

/** Each fixture answers so many calls as it says, then the next one that fits does. */
export function openFixtures(fixtures: Fixtures, registry: Registry): PickFixture {
  const used = new Map<Fixture, number>();
  return (method, input, request) => {
    const found = fixtures
      .get(method)
      ?.find((one) => (used.get(one) ?? 0) < one.times && fits(one, input, request, registry));
    if (found !== undefined) used.set(found, (used.get(found) ?? 0) + 1);
    return found;
  };
}

function fits({ match }: Fixture, input: DescMessage, request: Uint8Array, registry: Registry): boolean {
  if (match === undefined) return true;
  const options = { registry, alwaysEmitImplicit: true, useProtoFieldName: true };
  const asked = toJson(input, fromBinary(input, request), options);
  const wanted = toJson(input, fromJson(input, match, { registry }), options);
  return isPart(match, wanted, asked);
}

/** The values that `match` names are those that were asked for; `wanted` has them as protobuf JSON spells them. */
function isPart(match: JsonValue | undefined, wanted: JsonValue | undefined, asked: JsonValue | undefined): boolean {
  if (!isObject(wanted)) return JSON.stringify(wanted) === JSON.stringify(asked);
  if (!isObject(match) || !isObject(asked)) return false;
  return Object.entries(match).every(([given, value]) => {
    const name = given in wanted ? given : toSnake(given);
    return isPart(value, wanted[name], asked[name]);
  });
}

function toSnake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function isObject(json: JsonValue | undefined): json is { [name: string]: JsonValue } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
