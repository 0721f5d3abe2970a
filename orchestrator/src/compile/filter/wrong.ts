import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";

/** Thrown within this folder: the filter is wrong at a node. */
export class WrongFilter extends Error {
  readonly node: Expr;
  readonly hint: string | undefined;

  constructor(node: Expr, message: string, hint: string | undefined) {
    super(message);
    this.name = "WrongFilter";
    this.node = node;
    this.hint = hint;
  }
}

/** Says what is wrong, and where. */
export function refuse(node: Expr, message: string, hint: string | undefined): never {
  throw new WrongFilter(node, message, hint);
}
