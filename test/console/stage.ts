import { cp, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { ensureConsole } from "../../scripts/bundle/console.ts";
import { startOrderStack } from "../support/orderStack.ts";
import type { OrderStack } from "../support/orderStack.ts";
import { repositoryRoot } from "../support/program.ts";

/** A live system with runs worth looking at, and its API as the console calls it. */
export interface ConsoleStage extends AsyncDisposable {
  readonly stack: OrderStack;
  /** http://host:port */
  readonly url: string;
  /** One unary rpc by JSON. Throws what the API refused. */
  readonly call: (method: string, request: unknown) => Promise<Readonly<Record<string, unknown>>>;
  /** Starts a run, without waiting for its end; gives its id. */
  readonly start: (rpc: string, request: unknown, key: string) => Promise<string>;
}

/** Lists that are looked at for a run after its call was answered. */
const lateMax = 200;
const contracts = ["examples/order/proto", "examples/approval/proto", "examples/tour/proto"];

/** Starts the order example with one orchestrator, and deploys the contracts that the console is shown with. */
export async function startConsoleStage(): Promise<ConsoleStage> {
  await ensureConsole();
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-console-"));
  started.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  for (const contract of contracts) await cp(path.join(repositoryRoot, contract), folder, { recursive: true });
  const stack = started.use(
    await startOrderStack({ protos: folder, orchestratorEnv: { SIDESTEP_JAEGER_URL: "http://jaeger.example/" } }),
  );
  const address = stack.orchestrators[0]?.address ?? "";
  const url = `http://${address}`;
  const call: ConsoleStage["call"] = async (method, request) => {
    const response = await fetch(`${url}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    const body = (await response.json()) as Readonly<Record<string, unknown>>;
    if (!response.ok) throw new Error(`${method}: ${JSON.stringify(body)}`);
    return body;
  };
  const start: ConsoleStage["start"] = async (rpc, request, key) => {
    // The caller is answered at the end; what is wanted here is that the run has begun.
    let refused: string | undefined;
    let late = 0;
    call(rpc, request).catch((error: unknown) => (refused = String(error)));
    for (;;) {
      const { runs } = (await call("sidestep.v1.Runs/List", {
        filter: `key == ${JSON.stringify(key)}`,
        pageSize: 1,
      })) as {
        readonly runs?: readonly { readonly run: { readonly runId: string } }[];
      };
      const runId = runs?.[0]?.run.runId;
      if (runId !== undefined) return runId;
      // A run that failed at once shows a moment later all the same.
      if (refused !== undefined && ++late > lateMax) throw new Error(refused);
    }
  };
  const owned = started.move();
  return { stack, url, call, start, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Ids of runs of the stage, by what they show. */
export interface Cast {
  readonly shipped: string;
  readonly declined: string;
  readonly visited: string;
  readonly waiting: string;
  readonly incident: string;
  readonly approval: string;
}

const items = [
  { sku: "mug", quantity: 2 },
  { sku: "lamp", quantity: 1 },
  { sku: "rug", quantity: 1 },
];
const stops = ["harbour", "tower", "market", "garden", "station"].map((place) => ({ place, minutes: 20 }));

/** Runs in every state that the console has a look for. */
export async function play({ start }: ConsoleStage): Promise<Cast> {
  const order = (id: string, units: number, more: object = {}): Promise<string> =>
    start(
      "shop.v1.OrderWorkflow/Fulfil",
      {
        orderId: id,
        customerId: "ada",
        items,
        total: { currency: "EUR", units },
        address: "12 Harbour Street",
        ...more,
      },
      id,
    );
  const visit = (name: string, mood: string, waits: boolean): Promise<string> =>
    start("tour.v1.TourWorkflow/Visit", { name, mood, stops, waits }, name);
  const [shipped, declined, , visited, waiting, incident, , approval] = await Promise.all([
    order("order-1001", 240),
    order("order-1002", 4200),
    order("order-1003", 4200, { payByInvoice: true }),
    visit("grace", "MOOD_BRIGHT", false),
    visit("alan", "MOOD_GLOOMY", true),
    start("tour.v1.TourWorkflow/Parcel", { parcelId: "parcel-7", address: "Moon base 3" }, "parcel-7"),
    start("tour.v1.TourWorkflow/Parcel", { parcelId: "parcel-8", address: "Dark side of the moon" }, "parcel-8"),
    start(
      "expense.v1.ExpenseWorkflow/Claim",
      { claimId: "claim-1", employee: "ada", department: "engines", purpose: "punched cards", cents: 90_000 },
      "claim-1",
    ),
    order("order-1004", 80),
  ]);
  return { shipped, declined, visited, waiting, incident, approval };
}
