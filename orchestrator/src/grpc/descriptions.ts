import { imageBase64 } from "../../../proto/gen/image.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Definitions } from "../processor/definitions.ts";
import { describeServices } from "./describedServices.ts";
import type { Contract, DescribedServices } from "./describedServices.ts";

/** What reflection shows. It is made when somebody asks for it, and again after a deploy: nobody else waits for it. */
export interface Descriptions extends Disposable {
  /** Of all services, as they are deployed now; when that can't be read, as they were last. Never rejects. */
  read(): Promise<DescribedServices>;
  /** The names of all services that are shown. */
  services(): readonly string[];
  /** google.protobuf.FileDescriptorSet of a deployed service as it is active, and its SHA-256. Throws when the store is away. */
  contractOf(service: string): Promise<DeployedContract | undefined>;
}

export interface DeployedContract {
  readonly hash: Uint8Array;
  readonly descriptors: Uint8Array;
}

const ownServices = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "sidestep.v1.Audit",
  "sidestep.v1.Definitions",
  "sidestep.v1.Runs",
  "sidestep.v1.Services",
  "sidestep.v1.Traces",
];

/** Follows the definitions; `onChange` is called after each change of them. */
export function openDescriptions(definitions: Definitions, log: Log, onChange: () => void): Descriptions {
  let last: DescribedServices | undefined;
  let current: Promise<DescribedServices> | undefined;
  const describeOwn = (): DescribedServices => describeServices([toOwn()]);
  const make = async (): Promise<DescribedServices> => {
    try {
      last = describeServices([toOwn(), ...(await readContracts(definitions))]);
    } catch (error) {
      log.warn("contracts can't be read; reflection shows those of before", { error: errorText(error) });
      // Whoever asks next looks again.
      current = undefined;
    }
    last ??= describeOwn();
    return last;
  };
  const stop = definitions.onChange(() => {
    current = undefined;
    onChange();
  });
  return {
    read: () => {
      current ??= make();
      return current;
    },
    services: () => [...ownServices, ...hashesByService(definitions).keys()].toSorted(),
    contractOf: async (service) => {
      const hash = hashesByService(definitions).get(service);
      const descriptors = hash === undefined ? undefined : await definitions.contract(hash);
      return hash === undefined || descriptors === undefined ? undefined : { hash, descriptors };
    },
    [Symbol.dispose]: stop,
  };
}

function toOwn(): Contract {
  return { services: ownServices, descriptors: Buffer.from(imageBase64, "base64") };
}

/** One contract for each service with an active workflow; all workflows of a service are deployed together. */
async function readContracts(definitions: Definitions): Promise<readonly Contract[]> {
  const read = [...hashesByService(definitions)].map(async ([service, hash]): Promise<readonly Contract[]> => {
    const descriptors = await definitions.contract(hash);
    return descriptors === undefined ? [] : [{ services: [service], descriptors }];
  });
  return (await Promise.all(read)).flat();
}

function hashesByService(definitions: Definitions): ReadonlyMap<string, Uint8Array> {
  const active = definitions.list().filter(({ activeVersion }) => activeVersion !== 0);
  return new Map(active.map(({ workflow, contractHash }) => [splitMethod(workflow).service, contractHash]));
}
