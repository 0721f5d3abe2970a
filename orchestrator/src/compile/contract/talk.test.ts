import { create, toBinary } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { Query, Signal } from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import { readContract } from "./contract.ts";
import { differencesOfTalk } from "./talk.ts";
import type { TalkingVersion } from "./talk.ts";

const paid = Signal.fromPartial({ name: "paid", type: "p.Paid", method: "p.S/Paid" });
const status = Query.fromPartial({ method: "p.S/Status", requestType: "p.Ask", responseType: "p.Told" });

/** A version whose messages have these fields, all texts, numbered from 1 on. */
function version(
  messages: Readonly<Record<string, readonly string[]>>,
  plan: TalkingVersion["plan"] = { signals: [paid], queries: [status] },
): TalkingVersion {
  const messageType = Object.entries(messages).map(([name, fields]) => ({
    name,
    field: fields.flatMap((field, at) =>
      field === "" ? [] : [{ name: field, number: at + 1, type: Type.STRING, label: Label.OPTIONAL }],
    ),
  }));
  const file = [{ name: "p.proto", package: "p", syntax: "proto3", messageType }];
  const contract = readContract(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file })));
  if (contract === undefined) throw new Error("no contract");
  return { plan, contract };
}

const before = version({ Paid: ["id", "by"], Ask: ["id"], Told: ["state", "since"] });
const told = (there: TalkingVersion): readonly string[] => differencesOfTalk(before, there).map(({ text }) => text);

test("what is as it was, and what has more, breaks nobody who signals or asks", () => {
  expect(told(before)).toEqual([]);
  expect(told(version({ Paid: ["id", "by", "at"], Ask: ["id", "more"], Told: ["state", "since", "by"] }))).toEqual([]);
});

test("a field that is gone from a signal, or from either side of a query, is told with its rpc", () => {
  expect(told(version({ Paid: ["id"], Ask: [""], Told: ["", "since"] }))).toEqual([
    "the signal paid: field 2 (by) is gone",
    "the query p.S/Status, request: field 1 (id) is gone",
    "the query p.S/Status, response: field 1 (state) is gone",
  ]);
});

test("a signal or a query that is gone, and a signal's rpc with another name, are told", () => {
  const messages = { Paid: ["id", "by"], Ask: ["id"], Told: ["state", "since"] };
  expect(told(version(messages, { signals: [], queries: [] }))).toEqual([
    "the signal paid is gone",
    "the query p.S/Status is gone",
  ]);
  const renamed = { ...paid, method: "p.S/HasPaid" };
  expect(told(version(messages, { signals: [renamed], queries: [status] }))).toEqual(["p.S/Paid signals paid no more"]);
});
