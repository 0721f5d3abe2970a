import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { DescriptorProto, FileDescriptorProto } from "@bufbuild/protobuf/wkt";

/** One .proto file as reflection hands it out. */
export interface DescribedFile {
  readonly name: string;
  /** A google.protobuf.FileDescriptorProto. */
  readonly bytes: Uint8Array;
  /** The files it imports, from the same contract. */
  imports(): readonly DescribedFile[];
}

/** Descriptors of services from contracts that were built apart from each other: two may have different files of one name. */
export interface DescribedServices {
  /** Sorted, each once. */
  readonly services: readonly string[];
  fileNamed(name: string): DescribedFile | undefined;
  /** File that defines a service, method, message, enum, field or extension. */
  fileOf(symbol: string): DescribedFile | undefined;
  fileOfExtension(type: string, number: number): DescribedFile | undefined;
  /** Numbers of all extensions of a message. */
  extensionsOf(type: string): readonly number[];
}

/** A google.protobuf.FileDescriptorSet and which of its services are shown. */
export interface Contract {
  readonly services: readonly string[];
  readonly descriptors: Uint8Array;
}

/** Describes the contracts' services; of files and symbols with the same name the first contract's is shown. */
export function describeServices(contracts: readonly Contract[]): DescribedServices {
  const files = new Map<string, DescribedFile>();
  const symbols = new Map<string, DescribedFile>();
  const extensions = new Map<string, Map<number, DescribedFile>>();
  for (const { descriptors } of contracts) {
    const own = new Map<string, DescribedFile>();
    for (const file of fromBinary(FileDescriptorSetSchema, descriptors).file) {
      const described = describe(file, own);
      own.set(file.name, described);
      putFirst(files, file.name, described);
      for (const symbol of symbolsOf(file)) putFirst(symbols, symbol, described);
      for (const { type, number } of extensionsIn(file)) {
        const ofType = extensions.get(type) ?? new Map<number, DescribedFile>();
        putFirst(ofType, number, described);
        extensions.set(type, ofType);
      }
    }
  }
  return {
    services: [...new Set(contracts.flatMap(({ services }) => services))].toSorted(),
    fileNamed: (name) => files.get(name),
    fileOf: (symbol) => symbols.get(symbol.replace(/^\./, "")),
    fileOfExtension: (type, number) => extensions.get(type)?.get(number),
    extensionsOf: (type) => [...(extensions.get(type)?.keys() ?? [])],
  };
}

function describe(file: FileDescriptorProto, contract: ReadonlyMap<string, DescribedFile>): DescribedFile {
  return {
    name: file.name,
    bytes: toBinary(FileDescriptorProtoSchema, file),
    imports: () => file.dependency.flatMap((name) => contract.get(name) ?? []),
  };
}

function putFirst<Key>(map: Map<Key, DescribedFile>, key: Key, file: DescribedFile): void {
  if (!map.has(key)) map.set(key, file);
}

function* symbolsOf(file: FileDescriptorProto): Iterable<string> {
  const under = (scope: string, name: string): string => (scope === "" ? name : `${scope}.${name}`);
  function* inMessage(scope: string, message: DescriptorProto): Iterable<string> {
    const name = under(scope, message.name);
    yield name;
    for (const field of [...message.field, ...message.extension]) yield `${name}.${field.name}`;
    for (const oneof of message.oneofDecl) yield `${name}.${oneof.name}`;
    for (const one of message.enumType) yield `${name}.${one.name}`;
    for (const nested of message.nestedType) yield* inMessage(name, nested);
  }
  for (const message of file.messageType) yield* inMessage(file.package, message);
  for (const one of file.enumType) yield under(file.package, one.name);
  for (const extension of file.extension) yield under(file.package, extension.name);
  for (const service of file.service) {
    const name = under(file.package, service.name);
    yield name;
    for (const method of service.method) yield `${name}.${method.name}`;
  }
}

function* extensionsIn(file: FileDescriptorProto): Iterable<{ readonly type: string; readonly number: number }> {
  const all = [...file.extension, ...file.messageType.flatMap((message) => message.extension)];
  for (const { extendee, number } of all) yield { type: extendee.replace(/^\./, ""), number };
}
