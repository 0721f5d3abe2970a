import type {
  RunSnapshot_Failure as StoredFailure,
  RunSnapshot_Value as StoredValue,
} from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { KeptValue } from "../expression/result.ts";
import { unloaded } from "../payload.ts";
import type { Failure } from "../live.ts";
import type { AllPlaces } from "./places.ts";

/** All fields of a message, the optional ones too: whoever adds one has to write it. */
export type Whole<T> = { readonly [K in Exclude<keyof Required<T>, "_unknownFields">]: T[K] };

/** A kept value; its type's spelling is written once. */
export function toValue(value: KeptValue | undefined, places: AllPlaces): StoredValue | undefined {
  return value === undefined ? undefined : toSureValue(value, places);
}

/** The same of a value that there is. */
export function toSureValue({ type, bytes, payload }: KeptValue, { types }: AllPlaces): StoredValue {
  return { type: types.of(type) - 1, bytes, payload, loaded: bytes !== unloaded } satisfies Whole<StoredValue>;
}

/** Why something fails, if it does. */
export function toFailure(failure: Failure | undefined): StoredFailure | undefined {
  return failure === undefined ? undefined : toStoredFailure(failure);
}

/** Why something fails. */
export function toStoredFailure({ status, step }: Failure): StoredFailure {
  return { status, step };
}
