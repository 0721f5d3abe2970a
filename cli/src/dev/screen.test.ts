import { expect, test } from "vitest";
import { openScreen } from "./screen.ts";

const back = (rows: number): string => `\u001b[${rows}A\u001b[J`;

function open(screen?: { readonly columns: number; readonly rows: number }) {
  const written: string[] = [];
  const terminal = {
    out: (text: string) => void written.push(text),
    err: () => undefined,
    input: () => Promise.resolve(new Uint8Array()),
    atInterrupt: () => () => undefined,
    now: () => 0,
    environment: {},
    screen: screen === undefined ? undefined : () => screen,
    colors: { out: false, err: false },
  };
  return { written, screen: openScreen(terminal) };
}

test("on a terminal an outcome takes the place of the one before, lines that wrap counted", () => {
  const { written, screen } = open({ columns: 10, rows: 30 });
  screen.outcome("wrong: twelve+");
  screen.outcome("right");
  expect(written).toEqual(["wrong: twelve+\n", back(2), "right\n"]);
});

test("it stays where something was written since, where it would not fit, and where there is no terminal", () => {
  const { written, screen } = open({ columns: 80, rows: 3 });
  screen.outcome("wrong");
  screen.line("payment", "hello");
  screen.outcome("one\ntwo\nthree");
  screen.outcome("right");
  expect(written.join("")).not.toContain("\u001b");
  const piped = open();
  piped.screen.outcome("wrong");
  piped.screen.outcome("right");
  expect(piped.written).toEqual(["wrong\n", "right\n"]);
});

test("lines of programs stand in one column behind their names", () => {
  const { written, screen } = open();
  screen.line("payment", "one");
  screen.line("a-service-of-a-longer-name", "two");
  screen.line("payment", "three");
  expect(written).toEqual([
    "payment      │ one\n",
    "a-service-of-a-longer-name │ two\n",
    "payment                    │ three\n",
  ]);
});
