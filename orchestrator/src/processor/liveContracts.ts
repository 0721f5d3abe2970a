import type { PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { readContract } from "../compile/contract/contract.ts";
import type { Contract } from "../compile/contract/contract.ts";
import type { SidecarCatalog, Payloads } from "./ports.ts";

/** What a service says of itself, and the sidecars that say so. */
export interface LiveContract {
  readonly contract: Contract;
  /** What people know them by. */
  readonly sidecars: readonly string[];
}

/** The contracts of services as those who run them describe them. */
export interface LiveContracts extends Disposable {
  /**
   * Of the sidecars that take the service's tasks now: one entry for each description. Undefined: one of them says nothing, or what it says has not
   * been read yet.
   */
  of(service: string): readonly LiveContract[] | undefined;
  /** The same once all of it has been read, without those that say nothing. */
  read(service: string): Promise<readonly LiveContract[]>;
  /** A description by the id of its payload. Unread: it is not known, or not read, and was asked for just now; none: it can't be read. */
  byId(service: string, id: string): Contract | "unread" | "none";
  /** Another number whenever `of` may answer otherwise. */
  revision(): number;
  /** Called when that changes. Returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/** Descriptions kept in memory. */
const contractsKept = 64;
/** A description that could not be read is asked for again after this time. */
const againMs = 5_000;
/** A description that nobody can find is none after this time: what it says will not hold anybody up. */
const findMs = 10_000;
const soughtMax = 1_000;

/** What became of reading a description. */
type Reading =
  | { readonly kind: "pending"; readonly done: Promise<void> }
  | { readonly kind: "read"; readonly contract: Contract }
  /** It can't be read, or is not there. */
  | { readonly kind: "none"; readonly atMs: number };

/** Follows what the sidecars say. */
export function openLiveContracts(
  catalog: SidecarCatalog,
  payloads: Pick<Payloads, "get">,
  now: () => number,
): LiveContracts {
  const readings = new Map<string, Reading>();
  const listeners = new Set<() => void>();
  const sought = new Map<string, number>();
  let own = 0;
  const tell = (): void => {
    own += 1;
    for (const listener of listeners) listener();
  };
  const load = async (id: string, ref: PayloadRef): Promise<void> => {
    const bytes = await payloads.get(ref).catch(() => undefined);
    const contract = bytes === undefined ? undefined : readContract(bytes);
    readings.delete(id);
    readings.set(id, contract === undefined ? { kind: "none", atMs: now() } : { kind: "read", contract });
    for (const oldest of readings.keys()) {
      if (readings.size <= contractsKept) break;
      readings.delete(oldest);
    }
    tell();
  };
  const readingOf = (ref: PayloadRef): Reading => {
    const id = `${ref.service} ${ref.id}`;
    const known = readings.get(id);
    if (known !== undefined && (known.kind !== "none" || now() - known.atMs < againMs)) return known;
    const reading: Reading = { kind: "pending", done: load(id, ref) };
    readings.set(id, reading);
    return reading;
  };
  const stop = catalog.onChange(tell);
  const serving = (service: string) => servingIn(catalog, service);
  return {
    of: (service) => {
      const found: { knownAs: string; contract: Contract }[] = [];
      let isWhole = true;
      for (const { knownAs, descriptors } of serving(service)) {
        const reading = descriptors === undefined ? undefined : readingOf(descriptors);
        if (reading?.kind === "read") found.push({ knownAs, contract: reading.contract });
        else isWhole = false;
      }
      return isWhole ? together(found) : undefined;
    },
    read: (service) => readAll(service, serving, readingOf),
    byId: (service, id) => {
      const { descriptors } =
        catalog.sidecars().find((one) => one.descriptors?.id === id && one.services.includes(service)) ?? {};
      const reading = descriptors === undefined ? readings.get(`${service} ${id}`) : readingOf(descriptors);
      if (reading?.kind === "read") return reading.contract;
      const sinceMs = sought.get(id) ?? now();
      if (sought.size >= soughtMax) sought.clear();
      sought.set(id, sinceMs);
      return now() - sinceMs < findMs ? "unread" : "none";
    },
    revision: () => catalog.revision() + own,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.dispose]: stop,
  };
}

async function readAll(
  service: string,
  serving: (service: string) => ReturnType<typeof servingIn>,
  readingOf: (ref: PayloadRef) => Reading,
): Promise<readonly LiveContract[]> {
  const refs = serving(service).flatMap(({ descriptors }) => (descriptors === undefined ? [] : [descriptors]));
  await Promise.all(refs.map((ref) => doneOf(readingOf(ref))));
  return together(
    serving(service).flatMap(({ knownAs, descriptors }) => {
      const reading = descriptors === undefined ? undefined : readingOf(descriptors);
      return reading?.kind === "read" ? [{ knownAs, contract: reading.contract }] : [];
    }),
  );
}

function servingIn(catalog: SidecarCatalog, service: string) {
  return catalog.sidecars().filter((one) => one.serving && one.services.includes(service));
}

async function doneOf(reading: Reading): Promise<void> {
  if (reading.kind === "pending") await reading.done;
}

function together(found: readonly { knownAs: string; contract: Contract }[]): readonly LiveContract[] {
  const byContract = Map.groupBy(found, ({ contract }) => contract);
  return [...byContract].map(([contract, of]) => ({ contract, sidecars: of.map(({ knownAs }) => knownAs) }));
}
