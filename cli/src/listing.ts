import type { JsonValue, Registry } from "@bufbuild/protobuf";
import type { Timestamp } from "../../proto/gen/google/protobuf/timestamp.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import { bytesToJson } from "./messageJson.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { relativeText, timeText } from "./time.ts";
import { yamlText } from "./yaml.ts";

/** An answer of the API. */
export interface Answer {
  /** Full name of its message. */
  readonly type: string;
  readonly bytes: Uint8Array;
  /** Types of what it carries; left out: the API's own do. */
  readonly registry?: Registry;
}

/** A list of the API and its forms. */
export interface Listing<Item> extends Answer {
  /** JSON name of the field that has the items. */
  readonly field: string;
  readonly items: readonly Item[];
  readonly columns: readonly Column<Item>[];
  /** What the item is called in other commands. */
  readonly name: (item: Item) => string;
  /** Told on stderr when a table would be empty. */
  readonly empty: string;
}

export interface Column<Item> {
  readonly heading: string;
  readonly cell: (item: Item, nowMs: number) => string;
  /** The form that alone has it. */
  readonly only?: "table" | "wide";
}

/** When something was: how long ago in a table, the time itself in a wide one. */
export function timeColumn<Item>(heading: string, at: (item: Item) => Timestamp | undefined): readonly Column<Item>[] {
  return [
    { heading, cell: (item, nowMs) => relativeText(at(item), nowMs), only: "table" },
    { heading, cell: (item) => timeText(at(item)), only: "wide" },
  ];
}

/** Prints a list in a form; programs get every item whatever the terminal is. */
export function printList<Item>(form: ListForm, list: Listing<Item>, terminal: Terminal): void {
  switch (form) {
    case "json":
      return terminal.out(`${jsonText(list)}\n`);
    case "jsonl":
      return terminal.out(
        itemsOf(list)
          .map((item) => `${JSON.stringify(item)}\n`)
          .join(""),
      );
    case "yaml":
      return terminal.out(yamlText(itemsOf(list)));
    case "name":
      return terminal.out(list.items.map((item) => `${list.name(item)}\n`).join(""));
    case "table":
    case "wide":
      if (list.items.length === 0) terminal.err(`${list.empty}\n`);
      else terminal.out(columnsText(form, list, terminal.now()));
  }
}

/** Prints one thing in a form; `text` makes what people read. */
export async function printShown(
  form: ShownForm,
  answer: Answer,
  text: () => string | Promise<string>,
  terminal: Terminal,
): Promise<void> {
  switch (form) {
    case "json":
      return terminal.out(`${jsonText(answer)}\n`);
    case "yaml":
      return terminal.out(yamlText(valueOf(answer)));
    case "table":
      return terminal.out(await text());
  }
}

function columnsText<Item>(form: "table" | "wide", list: Listing<Item>, nowMs: number): string {
  const columns = list.columns.filter(({ only = form }) => only === form);
  return tableText(
    columns.map(({ heading }) => heading),
    list.items.map((item) => columns.map(({ cell }) => cell(item, nowMs))),
  );
}

function jsonText({ registry = toRegistry(), type, bytes }: Answer): string {
  return bytesToJson(registry, type, bytes);
}

function valueOf(answer: Answer): JsonValue {
  const value: JsonValue = JSON.parse(jsonText(answer));
  return value;
}

/** The items as protobuf JSON. */
function itemsOf<Item>(list: Listing<Item>): JsonValue[] {
  const answer = valueOf(list);
  const items =
    typeof answer === "object" && answer !== null && !Array.isArray(answer) ? answer[list.field] : undefined;
  return Array.isArray(items) ? items : [];
}
