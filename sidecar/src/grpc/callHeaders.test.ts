import { expect, test } from "vitest";
import { HpackDecoder } from "../../../runtime/src/http2/wire/hpackDecoder.ts";
import type { CallRequest } from "../ports.ts";
import { CallHeaders } from "./callHeaders.ts";
import { parseCallStatus } from "./callStatus.ts";

/** The headers of a call as a server reads them; several values of a name as a list. */
function headersOf(request: CallRequest): Record<string, string | string[]> {
  const headers = new CallHeaders("http", "h:1");
  const bytes = headers.write(request, request.timeoutMs);
  const { fields } = new HpackDecoder(100_000).decode(headers.bytes.subarray(0, bytes));
  const listed = Object.groupBy(fields, ([name]) => name);
  return Object.fromEntries(
    Object.entries(listed).map(([name, all = []]) => {
      const values = all.map(([, value]) => value);
      return [name, values.length === 1 ? (values[0] ?? "") : values];
    }),
  );
}

test("headers: keys in lower case, several values, bytes in base64, the timeout in the coarsest exact unit", () => {
  const encoder = new TextEncoder();
  const headers = [
    { key: "Sku", value: encoder.encode("a") },
    { key: "sku", value: encoder.encode("b") },
    { key: "photo-bin", value: new Uint8Array([0, 255]) },
  ];
  const request = {
    service: "a.B",
    method: "a.B/C",
    body: new Uint8Array(),
    headers,
    timeoutMs: 1_500,
    stream: undefined,
  };
  expect(headersOf(request)).toMatchObject({
    ":path": "/a.B/C",
    sku: ["a", "b"],
    "photo-bin": "AP8=",
    "grpc-timeout": "1500m",
  });
  expect(headersOf({ ...request, timeoutMs: 100_000_001 })["grpc-timeout"]).toBe("100001S");
  expect(headersOf({ ...request, timeoutMs: 0 })["grpc-timeout"]).toBeUndefined();
  for (const value of ["a\nb", "\u00e9"]) {
    expect(() => headersOf({ ...request, headers: [{ key: "x", value: encoder.encode(value) }] })).toThrow(/printable/);
  }
  for (const key of ["te", "Content-Type", "connection", "grpc-timeout"]) {
    expect(() => headersOf({ ...request, headers: [{ key, value: encoder.encode("x") }] })).toThrow(/not the task's/);
  }
});

function statusOf(fields: Record<string, string>) {
  return parseCallStatus(new Map(Object.entries(fields)));
}

test("a status is read with its message unescaped and its details as bytes", () => {
  expect(statusOf({})).toBeUndefined();
  expect(statusOf({ "grpc-status": "5", "grpc-message": "caf%C3%A9%20%", "grpc-status-details-bin": "CAU" })).toEqual({
    code: 5,
    message: "caf%C3%A9%20%",
    details: Buffer.from([8, 5]),
    pushback: undefined,
  });
  expect(statusOf({ "grpc-status": "x", "grpc-message": "caf%C3%A9", "grpc-retry-pushback-ms": "7" })).toMatchObject({
    code: 2,
    message: "caf\u00e9",
    pushback: "7",
  });
});
