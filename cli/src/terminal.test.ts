import { expect, test } from "vitest";
import { toned, wantsColors } from "./terminal.ts";

test.each([
  [{}, true, true],
  [{}, false, false],
  [{ NO_COLOR: "1" }, true, false],
  [{ NO_COLOR: "" }, true, true],
  [{ FORCE_COLOR: "1" }, false, true],
  [{ FORCE_COLOR: "0" }, true, false],
  [{ NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
])("with %o on a terminal: %s, colours are %s", (environment, isTerminal, expected) => {
  expect(wantsColors(environment, isTerminal)).toBe(expected);
});

test("without colours a text stays as it is", () => {
  expect(toned("failed", "bad", false)).toBe("failed");
  expect(toned("failed", "bad", true)).toBe("\u001B[31mfailed\u001B[39m");
});
