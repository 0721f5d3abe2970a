import { expect, test } from "vitest";
import { retriedText, toPayload } from "./triggers.ts";

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const utf8 = (text: string): string => base64(new TextEncoder().encode(text));

test("what is text is shown as text, anything else by its digits", () => {
  expect(toPayload(utf8('{"id": "ö"}\n'))).toEqual({ text: '{"id": "ö"}\n', form: "text", sizeBytes: 13, leftOut: 0 });
  expect(toPayload(base64(Uint8Array.of(0x0a, 0x00, 0xff)))).toMatchObject({ text: "0a 00 ff", form: "hexadecimal" });
  // Text with a control character is no text: a protobuf message of texts would look like one.
  expect(toPayload(utf8("\n\u0003abc"))).toMatchObject({ text: "0a 03 61 62 63", form: "hexadecimal" });
  expect(toPayload("")).toEqual({ text: "", form: "text", sizeBytes: 0, leftOut: 0 });
});

test("a large message is cut, and it is said by how much", () => {
  const { text, sizeBytes, leftOut } = toPayload(utf8("x".repeat(5_000)));
  expect([text.length, sizeBytes, leftOut]).toEqual([2_000, 5_000, 3_000]);
});

test("what came of a retry is counted by outcome, in one order", () => {
  const outcomes = ["PARKED", "STARTED", "PARKED", "GONE"];
  const answer = { events: outcomes.map((outcome) => ({ outcome })) };
  expect(retriedText(answer)).toBe("1 started, 2 parked still, 1 gone.");
  expect(retriedText({ ...answer, more: true })).toBe(
    "1 started, 2 parked still, 1 gone; there are more: retry again.",
  );
  expect(retriedText({})).toBe("Nothing was parked any more.");
});
