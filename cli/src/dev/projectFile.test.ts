import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot } from "../../../test/support/program.ts";
import { parseProject, parseServiceFlag } from "./projectFile.ts";

test("services and stubs are read, with what is left out filled in", () => {
  const text = `
# A comment.
services:
  - name: payment
    address: 127.0.0.1:50051
  - name: shipping
    command: node shipping.js
    cwd: shipping
    env: { LEVEL: 3, MODE: yes }
    expose:
      - shipping.v1.ShippingService
    listen: 127.0.0.1:7500
stubs:
  - mail.v1.MailService
  - service: tax.v1.TaxService
    fixtures: fixtures/tax.yaml
    seed: 7
`;
  expect(parseProject(text)).toEqual({
    kind: "project",
    project: {
      services: [
        { name: "payment", address: "127.0.0.1:50051", command: undefined, cwd: ".", env: {}, expose: [] },
        {
          name: "shipping",
          address: undefined,
          command: "node shipping.js",
          cwd: "shipping",
          env: { LEVEL: "3", MODE: "yes" },
          expose: ["shipping.v1.ShippingService"],
          listen: "127.0.0.1:7500",
        },
      ],
      stubs: [
        { service: "mail.v1.MailService", fixtures: undefined, seed: 1, at: { line: 14, column: 5 } },
        { service: "tax.v1.TaxService", fixtures: "fixtures/tax.yaml", seed: 7, at: { line: 15, column: 5 } },
      ],
    },
  });
});

test.each(["", "# nothing\n", "services:\nstubs:\n"])("%j names nothing", (text) => {
  expect(parseProject(text)).toEqual({ kind: "project", project: { services: [], stubs: [] } });
});

test.each([
  ["services: 3", "1:11: services is no list"],
  ["- a", "1:1: the file is no mapping"],
  ["servces: []", "1:1: the file has no 'servces'"],
  ["services:\n  - payment", "2:5: a service is no mapping"],
  ["services:\n  - address: a:1", "2:5: a service has no name"],
  ["services:\n  - name: x", "2:5: service x has neither address nor command"],
  ["services:\n  - { name: x, address: here }", "2:25: 'here' can't stand here"],
  ["services:\n  - { name: x, command: y, env: [1] }", "2:33: env is no mapping"],
  ["services:\n  - { name: x, command: y, env: { A: { b: c } } }", "2:38: '…' can't stand here"],
  ["services:\n  - { name: x, command: y }\n  - { name: x, command: z }", "3:5: there are two services of the name x"],
  ["stubs:\n  - Payment", "2:5: 'Payment' can't stand here"],
  ["stubs:\n  - { service: a.B, seed: -1 }", "2:27: '-1' can't stand here"],
  ["stubs:\n  - { fixtures: x }", "2:5: a stub names no service"],
  ["stubs: [a.B, a.B]", "1:14: a.B is stubbed twice"],
  ["services: [", "1:12: Flow sequence"],
])("%j: %s", (text, expected) => {
  const read = parseProject(text);
  if (read.kind !== "wrong") throw new Error("it was taken");
  const said = read.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
  expect(said.join("\n")).toContain(expected);
  expect(read.problems.every(({ hint }) => hint !== "")).toBe(true);
});

test("all that is wrong is told at once", () => {
  const read = parseProject("services:\n  - { nam: x }\nstubs:\n  - 3\n");
  expect(read.kind === "wrong" ? read.problems.length : 0).toBe(4);
});

test.each([
  ["payment=127.0.0.1:50051", "payment", "127.0.0.1:50051"],
  ["a=unix:/tmp/a=b.sock", "a", "unix:/tmp/a=b.sock"],
])("--service %s", (text, name, address) => {
  expect(parseServiceFlag(text)).toMatchObject({ name, address });
});

test.each(["payment", "=a:1", "payment=", "payment=50051", "a b=c:1"])("--service %s is none", (text) => {
  expect(parseServiceFlag(text)).toBeUndefined();
});

test("the project files that docs/dev.md shows are taken", () => {
  const page = readFileSync(path.join(repositoryRoot, "docs/dev.md"), "utf8");
  const texts = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)]
    .map(([, text = ""]) => text)
    .filter((text) => /^(services|stubs):/m.test(text));
  expect(texts.length).toBe(2);
  expect(texts.map((text) => parseProject(text).kind)).toEqual(texts.map(() => "project"));
});
