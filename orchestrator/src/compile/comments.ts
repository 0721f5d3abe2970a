import { create } from "@bufbuild/protobuf";
import {
  SourceCodeInfoSchema,
  SourceCodeInfo_LocationSchema as LocationSchema,
  DescriptorProtoSchema,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import type { DescriptorProto, FileDescriptorProto, SourceCodeInfo } from "@bufbuild/protobuf/wkt";

/** Characters of one comment that are kept. */
const commentMax = 500;

const numbers = {
  message: FileDescriptorProtoSchema.field.messageType.number,
  nested: DescriptorProtoSchema.field.nestedType.number,
  field: DescriptorProtoSchema.field.field.number,
  oneof: DescriptorProtoSchema.field.oneofDecl.number,
};

/**
 * What the comments of a file say of the fields and oneofs that its trimmed form has, by their places there; places in the text are left out.
 * Undefined: nothing, as of images without source info, and of google's own types, which everybody knows.
 */
export function commentsFor(file: FileDescriptorProto, trimmed: FileDescriptorProto): SourceCodeInfo | undefined {
  if (file.sourceCodeInfo === undefined || file.package.startsWith("google.")) return undefined;
  const known = new Map(
    file.sourceCodeInfo.location.map(({ path, leadingComments, trailingComments }) => [
      path.join(),
      toText(leadingComments) || toText(trailingComments),
    ]),
  );
  const location: SourceCodeInfo["location"] = [];
  const note = (from: readonly number[], to: readonly number[]): void => {
    const leadingComments = known.get(from.join()) ?? "";
    if (leadingComments !== "")
      location.push(create(LocationSchema, { path: [...to], span: [0, 0, 0], leadingComments }));
  };
  const visit = (
    { field, oneofDecl, nestedType }: DescriptorProto,
    from: readonly number[],
    kept: DescriptorProto,
    to: readonly number[],
  ): void => {
    for (const [at, { name }] of kept.field.entries())
      note([...from, numbers.field, indexOf(field, name)], [...to, numbers.field, at]);
    for (const [at, { name }] of kept.oneofDecl.entries())
      note([...from, numbers.oneof, indexOf(oneofDecl, name)], [...to, numbers.oneof, at]);
    visitAll(nestedType, [...from, numbers.nested], kept.nestedType, [...to, numbers.nested]);
  };
  const visitAll = (
    all: readonly DescriptorProto[],
    from: readonly number[],
    kept: readonly DescriptorProto[],
    to: readonly number[],
  ): void => {
    for (const [at, one] of kept.entries()) {
      const index = indexOf(all, one.name);
      const original = all[index];
      if (original !== undefined) visit(original, [...from, index], one, [...to, at]);
    }
  };
  visitAll(file.messageType, [numbers.message], trimmed.messageType, [numbers.message]);
  return location.length === 0 ? undefined : create(SourceCodeInfoSchema, { location });
}

function indexOf(all: readonly { readonly name: string }[], name: string): number {
  return all.findIndex((one) => one.name === name);
}

/** A comment as one paragraph. */
function toText(comment: string): string {
  const text = comment.replaceAll(/\s+/g, " ").trim();
  return text.length <= commentMax ? text : `${text.slice(0, commentMax - 1)}…`;
}
