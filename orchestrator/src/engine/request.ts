import { fromBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { encodeMessage } from "./expression/encode.ts";
import { toKeptForm } from "./expression/kept.ts";
import { isEncoded } from "./expression/wirePlaces.ts";
import { parseValueType } from "./expression/value.ts";
import type { LoadedPlan } from "./plan.ts";

/** A request decoded, and encoded in the one way that equal requests share. */
export type CanonicalRequest =
  | { readonly kind: "ok"; readonly bytes: Uint8Array }
  | { readonly kind: "failed"; readonly message: string };

/** Why bytes are no value of a type that the plan knows, as ValueType spells it; undefined: they are one. */
export function misfitOf({ registry }: LoadedPlan, type: string, bytes: Uint8Array): string | undefined {
  const parsed = parseValueType(type, registry, "");
  if (parsed.kind === "wrong") return `the plan does not know the type ${type}`;
  try {
    fromBinary(toKeptForm(parsed, registry).message, bytes);
    return undefined;
  } catch (error) {
    return `the bytes are not a ${type}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Fields in number order, maps sorted by key, unknown fields kept. Fails when the bytes are not of the workflow's request type. */
export function canonicalRequest({ plan, registry }: LoadedPlan, request: Uint8Array): CanonicalRequest {
  const type = registry.getMessage(plan.requestType);
  if (type === undefined)
    return { kind: "failed", message: `the plan does not know its request type ${plan.requestType}` };
  if (isEncoded(type, request)) return { kind: "ok", bytes: request };
  try {
    return { kind: "ok", bytes: encodeMessage(reflect(type, fromBinary(type, request), false)) };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return { kind: "failed", message: `the request is not a ${plan.requestType}: ${cause}` };
  }
}
