import { expect, test } from "vitest";
import { hashToken, makeToken, parseTokenFile, tokenLine } from "./tokenFile.ts";

test("a token's line is read again, beside remarks and empty lines", () => {
  const token = makeToken();
  const entry = { name: "on-call", role: "operator", sha256: hashToken(token) } as const;
  expect(token).toMatch(/^sst_[\w-]{43}$/);
  expect(tokenLine(entry)).not.toContain(token);
  expect(parseTokenFile(`# people\n\n${tokenLine(entry)} # the pager\n`)).toEqual({ kind: "tokens", entries: [entry] });
});

test("every wrong line is told by its number", () => {
  const good = `a viewer sha256:${"0".repeat(64)}`;
  const read = parseTokenFile(`${good}\nb boss sha256:${"1".repeat(64)}\nc viewer plain\n${good}\nd\n`);
  expect(read).toMatchObject({ kind: "wrong" });
  expect(read.kind === "wrong" ? read.problems.map((one) => one.slice(0, 7)) : []).toEqual([
    "line 2:",
    "line 3:",
    "line 4:",
    "line 5:",
  ]);
});
