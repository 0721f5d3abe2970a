import { createRegistry, fromBinary } from "@bufbuild/protobuf";
import type { DescMethod, Registry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { toRegistry } from "../../../proto/json/registry.ts";
import type { RpcDoor } from "./rpcDoor.ts";

/** The types of an rpc, and of what may be packed in them. */
export interface RpcTypes {
  readonly method: DescMethod;
  readonly registry: Registry;
  /** One of our own services, and not a deployed one. */
  readonly isOwn: boolean;
}

/** Types of the rpcs that are served. */
export interface Contracts {
  /** Undefined: not known. Throws when a contract can't be read now. */
  typesOf(service: string, method: string): Promise<RpcTypes | undefined>;
}

interface Known {
  readonly key: string;
  readonly registry: Registry;
}

/** More contracts than most systems have; the oldest is read anew. */
const keptMax = 200;

/** Reads the contracts when they are asked for, and keeps them. */
export function openContracts(door: RpcDoor): Contracts {
  // Not at the start: it takes a fifth of that, and most who call speak gRPC.
  let made: Registry | undefined;
  const own = (): Registry => (made ??= toRegistry());
  const kept = new Map<string, Registry>();
  let all: Known | undefined;
  const readDeployed = async (service: string): Promise<Known | undefined> => {
    const contract = await door.contractOf(service);
    if (contract === undefined) return undefined;
    const key = Buffer.from(contract.hash).toString("hex");
    const registry = kept.get(key) ?? toRegistry(fromBinary(FileDescriptorSetSchema, contract.descriptors).file);
    kept.set(key, registry);
    const [oldest] = kept.keys();
    if (kept.size > keptMax && oldest !== undefined) kept.delete(oldest);
    return { key, registry };
  };
  /** What our own answers may hold are messages of all contracts. */
  const readAll = async (): Promise<Registry> => {
    const known = (await Promise.all(door.services().map(readDeployed))).filter((one) => one !== undefined);
    const key = known.map((one) => one.key).join();
    if (key !== all?.key)
      all = { key, registry: key === "" ? own() : createRegistry(...known.map((one) => one.registry), own()) };
    return all.registry;
  };
  return {
    typesOf: async (service, method) => {
      const deployed = await readDeployed(service);
      const isOwn = deployed === undefined;
      const found = (deployed?.registry ?? own()).getService(service)?.methods.find((one) => one.name === method);
      return found === undefined
        ? undefined
        : { method: found, registry: deployed?.registry ?? (await readAll()), isOwn };
    },
  };
}
