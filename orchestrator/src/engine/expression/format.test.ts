import { parse, plan } from "@bufbuild/cel";
import { createRegistry } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { toEnvironment } from "./environment.ts";

function evaluate(source: string): unknown {
  const { cel, meter } = toEnvironment(createRegistry());
  meter.stepsLeft = 1_000;
  return plan(cel, parse(source))({});
}

test.each([
  // Every locale would put z before Z, and ä before b.
  [`"%s".format([{"b": 1, "ä": 2, "z": 3, "Z": 4}])`, "{Z: 4, b: 1, z: 3, ä: 2}"],
  [`"%s".format([{10: "x", 9: "y"}])`, "{10: x, 9: y}"],
  [`"%s".format([[{"b": {"d": 1, "D": 2}}, {}]])`, "[{b: {D: 2, d: 1}}, {}]"],
  [`"%d%% of %s, %.1f, %x".format([5, {"a": true}, 2.25, 255])`, "5% of {a: true}, 2.2, ff"],
])("%s shows maps in an order that is the same on every machine", (source, text) => {
  expect(evaluate(source)).toBe(text);
});

test.each([
  `"%d".format([{"a": 1}])`,
  `"%s %s".format([1])`,
  `"%s".format([1, 2])`,
  `"%q".format([1])`,
  `"%".format([])`,
])("%s fails as it did", (source) => {
  expect(evaluate(source)).toMatchObject({ message: expect.stringContaining("invalid argument to function format") });
});
