import { celEnv, parse, plan } from "@bufbuild/cel";
import { createRegistry } from "@bufbuild/protobuf";
import { afterEach, expect, test } from "vitest";
import { toEnvironment } from "./environment.ts";

const before = process.env["TZ"];
afterEach(() => {
  if (before === undefined) delete process.env["TZ"];
  else process.env["TZ"] = before;
});

function value(source: string): unknown {
  return plan(toEnvironment(createRegistry()).cel, parse(source))({});
}

/** Both clock changes of Berlin, in UTC: the hours that its own clocks skip and have twice. */
const moments = ["2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"];

test.each(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])(
  "the calendar is that of the argument's zone, on a machine in %s too",
  (zone) => {
    process.env["TZ"] = zone;
    expect(new Intl.DateTimeFormat().resolvedOptions().timeZone.replace("Calcutta", "Kolkata")).toBe(zone);
    expect(moments.map((moment) => value(`timestamp("${moment}").getHours()`))).toEqual([1n, 2n, 0n, 1n]);
    expect(moments.map((moment) => value(`timestamp("${moment}").getHours("Europe/Berlin")`))).toEqual([
      3n,
      4n,
      2n,
      2n,
    ]);
    expect(moments.map((moment) => value(`timestamp("${moment}").getHours("-02:30")`))).toEqual([23n, 0n, 22n, 23n]);
    expect(value(`timestamp("2024-12-31T23:30:00Z").getDayOfYear("+01:00")`)).toBe(0n);
    expect(value(`timestamp("2024-12-31T23:30:00Z").getDayOfYear()`)).toBe(365n);
    expect(value(`timestamp("2024-02-29T23:30:00Z").getDayOfMonth("Asia/Kolkata")`)).toBe(0n);
    expect(value(`timestamp("2024-02-29T23:30:00Z").getDate("Asia/Kolkata")`)).toBe(1n);
    expect(value(`timestamp("2024-02-29T23:30:00Z").getMonth("Asia/Kolkata")`)).toBe(2n);
    expect(value(`timestamp("2024-02-29T23:30:00Z").getDayOfWeek()`)).toBe(4n);
  },
);

test("the first and the last moment have their fields", () => {
  expect(value(`timestamp("0001-01-01T00:00:00Z").getFullYear()`)).toBe(1n);
  expect(value(`timestamp("0001-01-01T00:00:00Z").getFullYear("UTC")`)).toBe(1n);
  expect(value(`timestamp("9999-12-31T23:59:59.999Z").getMilliseconds()`)).toBe(999n);
  expect(value(`timestamp("9999-12-31T23:59:59.999Z").getSeconds("Europe/Berlin")`)).toBe(59n);
});

test("the library's own calendar still goes through the machine's zone: once this fails, ours can go", () => {
  process.env["TZ"] = "Europe/Berlin";
  const hours = plan(celEnv(), parse(`timestamp("2026-03-29T02:30:00Z").getHours()`))({});
  expect(hours).toBe(3n);
});
