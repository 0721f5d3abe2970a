import { expect, test } from "vitest";
import { openWatchedView } from "./watchedView.ts";

const record = (revision: number) => ({ revision });

test("the newest counts, in whatever order it is heard of, and each change is told once", () => {
  const view = openWatchedView<{ readonly revision: number }>();
  let told = 0;
  view.onChange(() => told++);
  const [first, second] = [record(1), record(2)];
  view.hear("a", second, 2);
  view.hear("a", first, 1);
  view.hear("a", record(2), 2);
  // The very one, each time that somebody looks.
  expect(view.all()).toEqual([second]);
  expect(view.all()[0]).toBe(second);
  expect(view.heard("a")).toBe(second);
  view.hear("a", undefined, 3);
  view.hear("a", undefined, 3);
  view.hear("a", second, 2);
  expect(view.heard("a")).toBeUndefined();
  expect(told).toBe(2);
  view.hear("a", record(4), 4);
  expect(view.heard("a")).toEqual(record(4));
});

test("of many ends the latest are remembered; one that is told again changes nothing", () => {
  const view = openWatchedView<{ readonly revision: number }>(2);
  let told = 0;
  for (const [at, key] of ["a", "b", "c"].entries()) {
    view.hear(key, record(at + 1), at + 1);
    view.hear(key, undefined, at + 11);
  }
  view.onChange(() => told++);
  // Longer ago than two others.
  view.hear("a", record(1), 1);
  expect(view.heard("a")).toEqual(record(1));
  view.hear("b", record(2), 2);
  expect(view.heard("b")).toBeUndefined();
  expect(told).toBe(1);
  // The bucket is gone through again.
  for (const [at, key] of ["a", "b", "c"].entries()) view.hear(key, undefined, at + 11);
  expect(view.all()).toEqual([]);
  expect(told).toBe(2);
});
