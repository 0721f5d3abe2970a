import { expect, test } from "vitest";
import { logger } from "./log.ts";
import type { LogOptions } from "./log.ts";

function lines(options: LogOptions, write: (log: ReturnType<typeof logger>) => void): readonly string[] {
  const written: string[] = [];
  write(logger("sidecar", { ...options, now: () => new Date(0), write: (line) => written.push(line) }));
  return written;
}

test("a line is one JSON object with the fields, errors with code and cause", () => {
  const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  const written = lines({}, (log) => {
    log.debug("not shown");
    log.with({ service: "a.B" }).warn("no answer", { error: new Error("lost", { cause }), count: 3n, gone: undefined });
  });
  expect(written).toEqual([
    '{"time":"1970-01-01T00:00:00.000Z","level":"warn","name":"sidecar","msg":"no answer","service":"a.B",' +
      '"error":"lost: refused (ECONNREFUSED)","count":"3"}\n',
  ]);
});

test("the form for a person keeps plain words plain", () => {
  const written = lines({ format: "text", level: "debug" }, (log) =>
    log.debug("pulling", { service: "a.B", note: "two words", n: 1 }),
  );
  expect(written).toEqual(['00:00:00.000 debug sidecar: pulling  service=a.B  note="two words"  n=1\n']);
});
