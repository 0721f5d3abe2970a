import { expect, test } from "vitest";
import { remembered } from "./remembered.ts";

test("what is made of a text is made once, of the last so many texts, and of long ones each time", () => {
  const made: string[] = [];
  const of = remembered((text) => {
    made.push(text);
    return { text };
  }, 2);
  expect(of("a")).toBe(of("a"));
  expect(of("b").text).toBe("b");
  expect(of("c").text).toBe("c");
  expect(of("a").text).toBe("a");
  expect(made).toEqual(["a", "b", "c", "a"]);
  const long = "x".repeat(513);
  expect(of(long)).not.toBe(of(long));
  // It took nobody's place.
  expect(of("c")).toBe(of("c"));
  expect(made.slice(4)).toEqual([long, long]);
});
