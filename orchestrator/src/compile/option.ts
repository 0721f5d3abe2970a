import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Defaults, QueryMethod, SignalMethod, Workflow } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Findings } from "./findings.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

/** Extension of google.protobuf.MethodOptions that makes an rpc a workflow. */
export const workflowOption = { name: "sidestep.v1.workflow", number: 51701 } as const;
/** Extension of MethodOptions that makes an rpc a signal. */
export const signalOption = { name: "sidestep.v1.signal", number: 51702 } as const;
/** Extension of MethodOptions that makes an rpc a query. */
export const queryOption = { name: "sidestep.v1.query", number: 51703 } as const;
/** Extension of google.protobuf.ServiceOptions: defaults of a service's workflows. */
export const defaultsOption = { name: "sidestep.v1.defaults", number: 51701 } as const;

/** Options as the descriptor library leaves them: our extensions among the unknown fields. */
export interface Options {
  readonly $unknown?:
    | readonly { readonly no: number; readonly wireType: number; readonly data: Uint8Array }[]
    | undefined;
}

/** The wire bytes of a message-typed extension, all its occurrences merged as protobuf merges them; undefined when it isn't set. */
export function readExtension(options: Options | undefined, number: number): Uint8Array | undefined {
  const occurrences = (options?.$unknown ?? []).filter((field) => field.no === number);
  if (occurrences.length === 0) return undefined;
  const parts = occurrences.map((field) => new BinaryReader(field.data).bytes());
  const merged = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    merged.set(part, at);
    at += part.length;
  }
  return merged;
}

/** Is the extension set at all. */
export function hasExtension(options: Options | undefined, number: number): boolean {
  return (options?.$unknown ?? []).some((field) => field.no === number);
}

/** The workflow option at `place`; undefined, and a finding, when it can't be read or says what this version doesn't know. */
export function readWorkflow(options: Options | undefined, place: Place, findings: Findings): Workflow | undefined {
  return readOption(options, workflowOption.number, (bytes) => Workflow.decode(bytes), place, findings);
}

/** The defaults option at `place`, as readWorkflow does it; undefined also when it isn't set. */
export function readDefaults(options: Options | undefined, place: Place, findings: Findings): Defaults | undefined {
  if (!hasExtension(options, defaultsOption.number)) return undefined;
  return readOption(options, defaultsOption.number, (bytes) => Defaults.decode(bytes), place, findings);
}

/** The signal option at `place`, as readWorkflow does it. */
export function readSignal(options: Options | undefined, place: Place, findings: Findings): SignalMethod | undefined {
  return readOption(options, signalOption.number, (bytes) => SignalMethod.decode(bytes), place, findings);
}

/** The query option at `place`, as readWorkflow does it. */
export function readQuery(options: Options | undefined, place: Place, findings: Findings): QueryMethod | undefined {
  return readOption(options, queryOption.number, (bytes) => QueryMethod.decode(bytes), place, findings);
}

function readOption<T extends object>(
  options: Options | undefined,
  number: number,
  decode: (bytes: Uint8Array) => T,
  place: Place,
  findings: Findings,
): T | undefined {
  try {
    const decoded = decode(readExtension(options, number) ?? new Uint8Array());
    return refuseUnknownFields(decoded, place, findings) ? undefined : decoded;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    findings.add(
      "OPTION",
      place,
      `the option can't be read: ${reason.slice(0, 200)}`,
      "build the image again with buf or protoc",
    );
    return undefined;
  }
}

/** Looks for fields that a newer schema than ours has set; says whether there were any. */
function refuseUnknownFields(message: object, place: Place, findings: Findings): boolean {
  let refused = false;
  for (const [key, value] of Object.entries(message)) {
    if (key === "_unknownFields") {
      const numbers = Object.keys(typeof value === "object" && value !== null ? value : {}).map(
        (tag) => Number(tag) >>> 3,
      );
      if (numbers.length === 0) continue;
      const one = numbers.length === 1;
      findings.add(
        "SCHEMA",
        place,
        `${one ? "field" : "fields"} ${numbers.join(", ")} ${one ? "is" : "are"} not known to this version of Sidestep`,
        "the sidestep/v1/workflow.proto of the image is newer: use the one that came with this version, or update Sidestep",
      );
      refused = true;
    } else if (Array.isArray(value)) {
      for (const [index, element] of value.entries()) {
        if (isMessage(element) && refuseUnknownFields(element, elementOf(place, snakeCase(key), index), findings))
          refused = true;
      }
    } else if (isMessage(value)) {
      if (refuseInside(key, value, place, findings)) refused = true;
    }
  }
  return refused;
}

function refuseInside(key: string, value: object, place: Place, findings: Findings): boolean {
  if ("$case" in value && "value" in value && typeof value.$case === "string") {
    if (!isMessage(value.value)) return false;
    return refuseUnknownFields(value.value, fieldOf(place, snakeCase(value.$case)), findings);
  }
  return refuseUnknownFields(value, fieldOf(place, snakeCase(key)), findings);
}

function isMessage(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
