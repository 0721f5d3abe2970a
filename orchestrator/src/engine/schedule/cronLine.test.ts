import { describe, expect, it } from "vitest";
import { parseCronLine } from "./cronLine.ts";

function lineOf(text: string) {
  const parsed = parseCronLine(text);
  if (parsed.kind === "wrong") throw new Error(parsed.message);
  return parsed.line;
}

describe("a cron line", () => {
  it("has lists, ranges, steps and names, and 7 is Sunday", () => {
    expect(lineOf("5,1 */6 1-31/10 JAN,dec 5-7")).toEqual({
      minutes: [1, 5],
      hours: [0, 6, 12, 18],
      days: [1, 11, 21, 31],
      months: [1, 12],
      weekdays: [0, 5, 6],
      isHourOpen: true,
      fitsEitherDay: true,
    });
    expect(lineOf("10/20 3 * * *")).toMatchObject({ minutes: [10, 30, 50], isHourOpen: false, fitsEitherDay: false });
    expect(lineOf(" 0\t0 1 * */2 ")).toMatchObject({ weekdays: [0, 2, 4, 6], fitsEitherDay: false });
  });

  it.each([
    ["", 0],
    ["* * * *", 0],
    ["* * * * * *", 0],
    ["* 24 * * *", 2],
    ["* * 0 * *", 4],
    ["* * 1,32 * *", 6],
    ["* * * 13 *", 6],
    ["* * * * 8", 8],
    ["* * * * mon-xyz", 12],
    ["*/0 * * * *", 2],
    ["-1 * * * *", 0],
    ["1,,2 * * * *", 2],
    ["1.5 * * * *", 0],
    ["0 0 31 4,6 *", 4],
    [`${"1,".repeat(120)}1 * * * *`, 0],
  ])("that is none says where: %s", (text, offset) => {
    expect(parseCronLine(text)).toMatchObject({ kind: "wrong", offset });
  });

  it("of 29 February comes, if not each year", () => {
    expect(lineOf("0 0 29 2 *").days).toEqual([29]);
  });
});
