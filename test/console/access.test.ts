import { afterAll, beforeAll, expect, test } from "vitest";
import { findConsole } from "../../orchestrator/src/frontDoor.ts";
import { fakeAudit, fakeDefinitions, fakeFront, openTestServer, someRun } from "../../orchestrator/src/grpc/testing.ts";
import { FittingAction_Kind, Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { Role } from "../../runtime/src/tokenFile.ts";
import { ensureConsole } from "../../scripts/bundle/console.ts";
import { startBrowser } from "../support/browser.ts";
import { expectAccessible, visit } from "./visitor.ts";
import type { Visitor } from "./visitor.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

/** Tokens that count, and whose they are. */
const holders = new Map<string, { readonly name: string; readonly role: Role }>([
  ["sst_v", { name: "Vera", role: "viewer" }],
  ["sst_o", { name: "Otto", role: "operator" }],
]);
const front = fakeFront();
let one: Visitor;

beforeAll(async () => {
  await ensureConsole();
  front.run = {
    workflow: "shop.v1.OrderWorkflow/Fulfil",
    state: Run_State.RUNNING,
    actions: [{ kind: FittingAction_Kind.PAUSE, steps: [] }],
  };
  const server = closing.use(
    await openTestServer(front, fakeDefinitions(new Uint8Array()), {
      audit: fakeAudit(),
      authenticate: (token) => holders.get(token),
      consoleFolder: findConsole(),
    }),
  );
  const { browser } = closing.use(await startBrowser());
  one = closing.use(await visit(browser, `http://127.0.0.1:${server.port}`));
});

async function signIn(token: string): Promise<void> {
  await one.page.getByLabel("Token").fill(token);
  await one.page.getByRole("button", { name: "Sign in" }).click();
}

test("one signs in with a token, may do what its role may, and is asked again when it counts no more", async () => {
  const { page } = one;
  const pause = page.getByRole("button", { name: "Pause" });
  await one.open(`runs/${someRun}`);
  await expectAccessible(page, "the form for a token");
  await signIn("sst_x");
  await page.getByText("the token is none of this orchestrator's").waitFor();

  await signIn("sst_v");
  await page.getByText("Vera viewer").waitFor();
  expect(await pause.isDisabled()).toBe(true);
  expect(await pause.getAttribute("title")).toBe("Vera has the role viewer, which may not do this");
  expect(await page.evaluate(`document.cookie + JSON.stringify(localStorage)`)).not.toContain("sst_v");
  await expectAccessible(page, "a run that one may only look at");

  // Nor may she see the audit; what she tried is in there for who may.
  expect(await page.getByRole("link", { name: "audit" }).count()).toBe(0);
  const cancel = { method: "POST", headers: { "content-type": "application/json" }, body: `{"runId":"${someRun}"}` };
  expect(
    await page.evaluate(`fetch("/sidestep.v1.Runs/Cancel", ${JSON.stringify(cancel)}).then((it) => it.status)`),
  ).toBe(403);
  await one.go("audit");
  await page.getByText("Vera has the role viewer, which may not do this.").waitFor();
  await page.goBack();

  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn("sst_o");
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Audit" }).click();
  await page.getByRole("row").filter({ hasText: "ROLE_TOO_LOW" }).getByText("refused").waitFor();
  await page.getByRole("link", { name: "Vera" }).click();
  expect(new URL(page.url()).search).toBe("?actor=Vera");
  await expectAccessible(page, "the audit");
  for (let back = 0; back < 2; back += 1) await page.goBack();
  await pause.click();
  await page.getByRole("dialog").getByLabel("Reason").fill("the quay is closed");
  await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await page.getByText("The run is paused.").waitFor();
  expect(front.requests).toMatchObject([{ event: { actor: "Otto", reason: "the quay is closed" } }]);

  holders.delete("sst_o");
  await one.go("runs");
  await page.getByText("Your token counts no more.").waitFor();
  expect(one.troubles).toEqual([]);
});
