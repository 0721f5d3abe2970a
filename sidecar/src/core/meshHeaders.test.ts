import { expect, test } from "vitest";
import { carriedHeaders } from "./meshHeaders.ts";

const value = Uint8Array.of(1);
const carried = (key: string): readonly string[] => carriedHeaders([{ key, value }]).map((header) => header.key);

test.each(["x-tenant", "x-token-bin", "authorization", "traceparent", "tracestate", "idempotency-key", "cookie"])(
  "%s goes along",
  (key) => {
    expect(carried(key)).toEqual([key]);
    expect(carried(key.toUpperCase())).toEqual([key]);
  },
);

test.each([
  "sidestep-run-id",
  "sidestep-attempt",
  "sidestep-step",
  "sidestep-compensates",
  "sidestep-actor",
  "sidestep-role",
  "sidestep-run-proof",
  "Sidestep-Run-Id",
  "SIDESTEP-ROLE",
  "sidestep-anything-bin",
  "grpc-timeout",
  "grpc-previous-rpc-attempts",
  "content-type",
  "connection",
  "keep-alive",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  "user-agent",
  ":path",
  "no name",
  "",
])("%s does not", (key) => {
  expect(carried(key)).toEqual([]);
});
