import { describe, expect, it } from "vitest";
import { nextNominal, nominalTimes } from "./calendar.ts";
import type { Timetable } from "./calendar.ts";
import { parseCronLine } from "./cronLine.ts";

function cron(text: string, zone = "UTC"): Timetable {
  const parsed = parseCronLine(text);
  if (parsed.kind === "wrong") throw new Error(parsed.message);
  return { kind: "line", line: parsed.line, zone };
}

/** Nominal times from `from` on and before `until`, both ISO. */
function times(timetable: Timetable, from: string, until: string): readonly string[] {
  return nominalTimes(timetable, Date.parse(from), Date.parse(until), 5000).map((ms) =>
    new Date(ms).toISOString().replace(":00.000Z", "Z"),
  );
}

const berlin = "Europe/Berlin";
const newYork = "America/New_York";

describe("a time of day that clocks put forward leave out", () => {
  it("comes once, at the change: Berlin, 29 March 2026, 02:00 is 03:00", () => {
    expect(times(cron("30 2 * * *", berlin), "2026-03-28T00:00Z", "2026-03-31T00:00Z")).toEqual([
      "2026-03-28T01:30Z",
      "2026-03-29T01:00Z",
      "2026-03-30T00:30Z",
    ]);
  });

  it("comes once, at the change: New York, 8 March 2026", () => {
    expect(times(cron("30 2 * * *", newYork), "2026-03-07T00:00Z", "2026-03-10T00:00Z")).toEqual([
      "2026-03-07T07:30Z",
      "2026-03-08T07:00Z",
      "2026-03-09T06:30Z",
    ]);
  });

  it("is one with others that it leaves out, and with the time of the change", () => {
    expect(times(cron("*/10 2,3 * * *", berlin), "2026-03-29T00:00Z", "2026-03-29T01:15Z")).toEqual([
      "2026-03-29T01:00Z",
      "2026-03-29T01:10Z",
    ]);
  });
});

describe("a time of day that clocks put back show twice", () => {
  it("comes the first time: Berlin, 25 October 2026, 03:00 is 02:00", () => {
    expect(times(cron("30 2 * * *", berlin), "2026-10-24T00:00Z", "2026-10-27T00:00Z")).toEqual([
      "2026-10-24T00:30Z",
      "2026-10-25T00:30Z",
      "2026-10-26T01:30Z",
    ]);
  });

  it("comes the first time: New York, 1 November 2026", () => {
    expect(times(cron("30 1 * * *", newYork), "2026-10-31T00:00Z", "2026-11-03T00:00Z")).toEqual([
      "2026-10-31T05:30Z",
      "2026-11-01T05:30Z",
      "2026-11-02T06:30Z",
    ]);
  });
});

describe("a line whose hour is a star", () => {
  it.each([berlin, newYork])("goes on each hour through both changes: %s", (zone) => {
    for (const [from, until] of [
      ["2026-03-07T00:00Z", "2026-03-09T00:00Z"],
      ["2026-03-28T00:00Z", "2026-03-30T00:00Z"],
      ["2026-10-24T00:00Z", "2026-10-27T00:00Z"],
      ["2026-10-31T00:00Z", "2026-11-03T00:00Z"],
    ] as const) {
      const found = times(cron("30 * * * *", zone), from, until);
      const hours = (Date.parse(until) - Date.parse(from)) / 3_600_000;
      expect(found.length).toBe(hours);
      for (const [index, one] of found.entries())
        expect(Date.parse(one)).toBe(Date.parse(from) + (index + 0.5) * 3_600_000);
    }
  });

  it("of every second hour follows the clock", () => {
    expect(times(cron("0 */2 * * *", berlin), "2026-03-28T22:00Z", "2026-03-29T05:00Z")).toEqual([
      "2026-03-28T23:00Z",
      "2026-03-29T02:00Z",
      "2026-03-29T04:00Z",
    ]);
    expect(times(cron("0 */2 * * *", berlin), "2026-10-24T22:00Z", "2026-10-25T04:00Z")).toEqual([
      "2026-10-24T22:00Z",
      "2026-10-25T00:00Z",
      "2026-10-25T01:00Z",
      "2026-10-25T03:00Z",
    ]);
  });
});

describe("changes of another kind", () => {
  it("by half an hour: Lord Howe", () => {
    const zone = "Australia/Lord_Howe";
    expect(times(cron("15 2 * * *", zone), "2026-10-02T00:00Z", "2026-10-05T00:00Z")).toEqual([
      "2026-10-02T15:45Z",
      "2026-10-03T15:30Z",
      "2026-10-04T15:15Z",
    ]);
  });

  it("at midnight, back into the day before: Havana's hour and Beirut's day", () => {
    const found = times(cron("*/30 * * * *", "Asia/Beirut"), "2026-10-24T18:00Z", "2026-10-25T02:00Z");
    expect(found.length).toBe(16);
    expect(times(cron("30 0 * * *", "America/Havana"), "2026-10-31T00:00Z", "2026-11-03T00:00Z")).toEqual([
      "2026-10-31T04:30Z",
      "2026-11-01T04:30Z",
      "2026-11-02T05:30Z",
    ]);
  });

  it("over midnight, as St John's had them at 00:01: no time is passed by", () => {
    const found = times(cron("*/15 * * * *", "America/St_Johns"), "2010-11-07T00:00Z", "2010-11-07T06:00Z");
    expect(found.length).toBe(24);
    expect([...found].toSorted()).toEqual(found);
  });

  it("by a whole day: Samoa had no 30 December 2011", () => {
    expect(times(cron("0 12 * * *", "Pacific/Apia"), "2011-12-29T00:00Z", "2012-01-01T00:00Z")).toEqual([
      "2011-12-29T22:00Z",
      "2011-12-30T10:00Z",
      "2011-12-30T22:00Z",
      "2011-12-31T22:00Z",
    ]);
  });
});

describe("days", () => {
  it("fit either field, when both are given", () => {
    const found = times(cron("0 0 13 * fri"), "2026-02-01T00:00Z", "2026-03-01T00:00Z");
    expect(found.map((one) => Number(one.slice(8, 10)))).toEqual([6, 13, 20, 27]);
  });

  it("fit both, when one begins with a star", () => {
    const found = times(cron("0 0 */2 * mon"), "2026-06-01T00:00Z", "2026-07-01T00:00Z");
    expect(found.map((one) => Number(one.slice(8, 10)))).toEqual([1, 15, 29]);
  });

  it("of February wait for leap years, also over 2100", () => {
    expect(times(cron("0 0 29 2 *"), "2095-01-01T00:00Z", "2105-01-01T00:00Z")).toEqual([
      "2096-02-29T00:00Z",
      "2104-02-29T00:00Z",
    ]);
  });
});

describe("an interval", () => {
  it("goes on in multiples since 1970, put off by its phase", () => {
    const every: Timetable = { kind: "interval", everyMs: 900_000, phaseMs: 60_000 };
    expect(times(every, "2026-03-29T00:46Z", "2026-03-29T01:32Z")).toEqual([
      "2026-03-29T00:46Z",
      "2026-03-29T01:01Z",
      "2026-03-29T01:16Z",
      "2026-03-29T01:31Z",
    ]);
    expect(nextNominal(every, -1)).toBe(60_000);
  });
});

const quarterMs = 900_000;

/** What a clock on the wall shows, each quarter of an hour. */
function wallTimes(zone: string, fromMs: number, untilMs: number): readonly (readonly [number, string])[] {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" });
  const shown: [number, string][] = [];
  for (let at = fromMs; at < untilMs; at += quarterMs) shown.push([at, format.format(at)]);
  return shown;
}

describe("over a whole year", () => {
  it.each([berlin, newYork, "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Chatham"])(
    "each time that the clocks of %s show comes once, by days as by hours",
    (zone) => {
      const from = Date.parse("2026-01-01T12:00Z");
      const until = Date.parse("2026-12-31T12:00Z");
      const shown = wallTimes(zone, from, until);
      const open = shown.filter(([, text]) => text.endsWith(":45")).map(([ms]) => ms);
      expect(nominalTimes(cron("45 * * * *", zone), from, until, 10_000)).toEqual(open);
      const first = new Map<string, number>();
      for (const [ms, text] of shown) if (/ (0[0-4]):45$/.test(text) && !first.has(text)) first.set(text, ms);
      const fixed = nominalTimes(cron("45 0-4 * * *", zone), from, until, 10_000);
      // What is left out of a clock comes at its change, and is the only thing that comes besides.
      const others = fixed.filter((ms) => ![...first.values()].includes(ms));
      expect(fixed.length - others.length).toBe(first.size);
      for (const ms of others) {
        const before = shown[(ms - from) / quarterMs - 1]?.[1] ?? "";
        const at = shown[(ms - from) / quarterMs]?.[1] ?? "";
        expect(Date.parse(`${at.replace(" ", "T")}Z`) - Date.parse(`${before.replace(" ", "T")}Z`)).toBeGreaterThan(
          60_000,
        );
      }
    },
  );
});
