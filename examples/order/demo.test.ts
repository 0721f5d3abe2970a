import { existsSync } from "node:fs";
import net from "node:net";
import { expect, test } from "vitest";
import { startNode } from "../../test/support/program.ts";
import { pythonWithGrpc } from "../../test/support/python.ts";
import { removeStageFolder } from "./demo/stage.ts";

test("the demo tells its four orders and their traces, stays up when asked, and leaves nothing behind", async () => {
  await using demo = await startNode("examples/order/demo.ts", {
    args: ["--keep", "--jaeger-url", "http://localhost:16686/"],
    env: { SIDESTEP_PYTHON: pythonWithGrpc() },
  });
  await demo.waitForLine(/still running; Ctrl-C/, { timeoutMs: 90_000 });
  // The last of what it tells.
  await demo.waitForLine(/"order_id": "mine-1"/);
  const text = demo.stdout();
  expect(text).toContain("Everything went as it should.");
  for (const state of ["COMPLETED", "COMPENSATED"]) expect(text).toMatch(new RegExp(`run +[0-9a-f]{32} {2}${state}`));
  expect(text).toMatch(/review +COMPLETED/);
  expect(text).toMatch(/approval decide [0-9a-f]{32} --approve/);
  expect(text).toMatch(/undo reserve +COMPLETED +inventory\.v1\.InventoryService\/Release/);
  expect(text).toMatch(/grpc\.inventory\.v1\.InventoryService\/Reserve {2}inventory {2}server/);
  expect(text).toMatch(/in Jaeger +http:\/\/localhost:16686\/trace\/[0-9a-f]{32}/);
  for (const [shows, state] of [
    ["an incident", "PAUSED"],
    ["an approval", "RUNNING"],
    ["a guard", "RUNNING"],
    ["an order that was undone", "COMPENSATED"],
  ])
    expect(text).toMatch(new RegExp(`${shows}.* ${state} +http://[^ ]+/console/runs/[0-9a-f]{32}`));

  const folder = /logs, journals +(\S+)/.exec(text)?.[1] ?? "";
  const ports = [...text.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
  expect(existsSync(folder)).toBe(true);
  expect(ports.length).toBeGreaterThan(4);
  demo.signal("SIGINT");
  expect(await demo.ended).toEqual({ code: 0, signal: undefined });
  expect(existsSync(folder)).toBe(false);
  for (const port of new Set(ports)) expect(await isOpen(port), `somebody still listens on ${port}`).toBe(false);
});

test("the demo tells what it can do, and what it can't be told", async () => {
  await using help = await startNode("examples/order/demo.ts", { args: ["--help"] });
  expect(await help.ended).toEqual({ code: 0, signal: undefined });
  expect(help.stdout()).toContain("--keep");
  await using wrong = await startNode("examples/order/demo.ts", { args: ["--kepe"] });
  expect(await wrong.ended).toEqual({ code: 2, signal: undefined });
  expect(wrong.lines.join("\n")).toContain("--kepe");
});

test("a demo in which a program does not start says so, keeps the logs and fails", async () => {
  // A server that is no nats-server is refused before anything runs.
  await using demo = await startNode("examples/order/demo.ts", { env: { NATS_SERVER: process.execPath } });
  const { code } = await demo.ended;
  expect(code).toBe(1);
  const folder = /journals are in (\S+)/.exec(demo.stdout())?.[1] ?? "";
  expect(demo.stdout()).toContain("could not go on");
  expect(existsSync(folder)).toBe(true);
  await removeStageFolder(folder);
});

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
