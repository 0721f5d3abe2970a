import { clone, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { DescriptorProto, FileDescriptorProto, FileDescriptorSet } from "@bufbuild/protobuf/wkt";

/**
 * What callers may see of a service: its file and all imports, as a google.protobuf.FileDescriptorSet, without the options that make
 * its rpcs workflows and without the import that only they need. The image has the service.
 */
export function contractOf(image: FileDescriptorSet, service: string): Uint8Array {
  const files = new Map(image.file.map((file) => [file.name, file]));
  const home = image.file.find((file) => file.service.some(({ name }) => fullName(file, name) === service));
  const wanted = new Map<string, FileDescriptorProto>();
  const visit = (file: FileDescriptorProto | undefined): void => {
    if (file === undefined || wanted.has(file.name)) return;
    const bare = withoutOptions(file);
    for (const dependency of bare.dependency) visit(files.get(dependency));
    wanted.set(bare.name, bare);
  };
  visit(home);
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...wanted.values()] }));
}

/** Reads an image; undefined when the bytes are none. */
export function parseImage(bytes: Uint8Array): FileDescriptorSet | undefined {
  try {
    return fromBinary(FileDescriptorSetSchema, bytes);
  } catch {
    return undefined;
  }
}

const optionsFile = "sidestep/v1/workflow.proto";
const optionsPackage = ".sidestep.v1.";
/** Numbers of (sidestep.v1.workflow), (signal) and (query) on rpcs, and of (defaults) on services. */
const optionNumbers = { from: 51701, to: 51703 };

function withoutOptions(file: FileDescriptorProto): FileDescriptorProto {
  const bare = clone(FileDescriptorProtoSchema, file);
  bare.sourceCodeInfo = undefined;
  const position = bare.dependency.indexOf(optionsFile);
  if (position < 0) return bare;
  for (const service of bare.service) {
    for (const { options } of [service, ...service.method]) {
      if (options?.$unknown === undefined) continue;
      options.$unknown = options.$unknown.filter(({ no }) => no < optionNumbers.from || no > optionNumbers.to);
    }
  }
  if (usesOptionsTypes(bare)) return bare;
  bare.dependency.splice(position, 1);
  bare.publicDependency = shifted(bare.publicDependency, position);
  bare.weakDependency = shifted(bare.weakDependency, position);
  return bare;
}

/** Whether the file needs the import for more than options: a field or an rpc of one of its messages. */
function usesOptionsTypes(file: FileDescriptorProto): boolean {
  const inMessage = (message: DescriptorProto): boolean =>
    [...message.field, ...message.extension].some(({ typeName }) => typeName.startsWith(optionsPackage)) ||
    message.nestedType.some(inMessage);
  const inMethods = file.service.some(({ method }) =>
    method.some(({ inputType, outputType }) => [inputType, outputType].some((type) => type.startsWith(optionsPackage))),
  );
  return (
    inMethods ||
    file.messageType.some(inMessage) ||
    file.extension.some((one) => one.typeName.startsWith(optionsPackage))
  );
}

function shifted(indexes: readonly number[], removed: number): number[] {
  return indexes.filter((index) => index !== removed).map((index) => (index > removed ? index - 1 : index));
}

function fullName(file: FileDescriptorProto, name: string): string {
  return file.package === "" ? name : `${file.package}.${name}`;
}
