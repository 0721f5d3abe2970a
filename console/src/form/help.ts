import type { DescField, DescFile, DescMessage, DescOneof } from "@bufbuild/protobuf";

const known = new WeakMap<DescFile, ReadonlyMap<string, string>>();

/** What its .proto file says of a field or a oneof; empty: nothing. */
export function helpOf(member: DescField | DescOneof): string {
  const { parent } = member;
  const own =
    member.kind === "field"
      ? [2, parent.proto.field.indexOf(member.proto)]
      : [8, parent.proto.oneofDecl.indexOf(member.proto)];
  return commentsOf(parent.file).get([...pathOf(parent), ...own].join()) ?? "";
}

/** Where a message stands in its file: numbers of fields and indexes, as source info has them. */
function pathOf({ parent, file, proto }: DescMessage): readonly number[] {
  return parent === undefined
    ? [4, file.proto.messageType.indexOf(proto)]
    : [...pathOf(parent), 3, parent.proto.nestedType.indexOf(proto)];
}

function commentsOf(file: DescFile): ReadonlyMap<string, string> {
  const there = known.get(file);
  if (there !== undefined) return there;
  const made = new Map(
    (file.proto.sourceCodeInfo?.location ?? []).map(({ path, leadingComments }) => [path.join(), leadingComments]),
  );
  known.set(file, made);
  return made;
}
