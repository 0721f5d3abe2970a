import { expect, test } from "vitest";
import { parseTarget } from "./target.ts";

test.each(["localhost:50051", "10.0.0.1:1", "[::1]:50051", "orders.internal:65535", "unix:/run/a.sock", "unix:a.sock"])(
  "%s is an address",
  (text) => expect(parseTarget(text)).toEqual({ text, address: text }),
);

test.each(["localhost", ":1", "a:0", "a:65536", "::1:50051", "http://a:1", "a:1/x", "unix:", "dns:///a:1", ""])(
  "%s is not an address",
  (text) => expect(parseTarget(text)).toBeUndefined(),
);
