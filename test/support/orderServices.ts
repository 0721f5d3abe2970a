import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { freePort } from "./freePort.ts";
import { repositoryRoot, startProgram } from "./program.ts";
import type { Program } from "./program.ts";
import { pythonWithGrpc } from "./python.ts";

/** One line of a service's journal: a call that did something, did it before, was refused, or asked whether something had been done. */
export interface JournalEntry {
  readonly time: string;
  readonly method: string;
  /** The call's idempotency-key. */
  readonly key: string;
  readonly order: string;
  readonly outcome: "effect" | "repeat" | "refused" | "asked";
  /** Of an effect: what the caller got, by the names of proto's JSON. */
  readonly answer?: Readonly<Record<string, unknown>>;
}

/** A service of examples/order, as a process of its own; leaving its scope kills it. */
export interface OrderService extends AsyncDisposable {
  readonly name: OrderServiceName;
  /** Full name of its protobuf service. */
  readonly service: string;
  /** host:port; the same over restarts. */
  readonly address: string;
  readonly program: () => Program;
  readonly journal: () => readonly JournalEntry[];
  readonly journalFile: string;
  /** SIGKILL, and the end awaited. */
  readonly kill9: () => Promise<void>;
  /** Starts it again, with the journal it has, after stopping it when it still runs. */
  readonly restart: (env?: Readonly<Record<string, string>>) => Promise<void>;
}

export const serviceNames = ["inventory", "payment", "shipping"] as const;
export type OrderServiceName = (typeof serviceNames)[number];

export interface OrderServices extends AsyncDisposable {
  readonly inventory: OrderService;
  readonly payment: OrderService;
  readonly shipping: OrderService;
  readonly all: readonly OrderService[];
}

export interface OrderServicesOptions {
  /** Where the journals lie. */
  readonly folder: string;
  /** Folder for what they write; absent: it is kept in memory only. */
  readonly logs?: string;
  /** Endpoint for the inventory's stock instrumentation (http/protobuf); absent: it runs without. */
  readonly otlpEndpoint?: string;
  /** More environment by service: SHIP_DELAY_MS, SHIP_OUTAGES for shipping, CHARGE_TROUBLES for payment. */
  readonly env?: Readonly<Partial<Record<OrderServiceName, Readonly<Record<string, string>>>>>;
}

/** Starts inventory and shipping (Node) and payment (Python with grpcio) on free ports. */
export async function startOrderServices(options: OrderServicesOptions): Promise<OrderServices> {
  await using started = new AsyncDisposableStack();
  const open = async (name: OrderServiceName): Promise<OrderService> => started.use(await startService(name, options));
  const [inventory, payment, shipping] = await Promise.all([open("inventory"), open("payment"), open("shipping")]);
  const owned = started.move();
  return {
    inventory,
    payment,
    shipping,
    all: [inventory, payment, shipping],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Starts one of them. */
export async function startService(name: OrderServiceName, options: OrderServicesOptions): Promise<OrderService> {
  const port = await freePort();
  const journalFile = path.join(options.folder, `${name}.jsonl`);
  const start = (env: Readonly<Record<string, string>> = {}): Promise<Program> =>
    startProgram({
      name,
      ...command(name, options.otlpEndpoint),
      args: [...command(name, options.otlpEndpoint).args, "--port", String(port), "--journal", journalFile],
      env: { ...tracingEnv(name, options.otlpEndpoint), ...options.env?.[name], ...env },
      readyLine: /listens on/,
      ...(options.logs === undefined ? {} : { logFile: path.join(options.logs, `${name}.log`) }),
    });
  let program = await start();
  return {
    name,
    service: services[name],
    address: `127.0.0.1:${port}`,
    program: () => program,
    journalFile,
    journal: () => readJournal(journalFile),
    kill9: async () => void (await program.kill9()),
    restart: async (env) => {
      await program.stop();
      program = await start(env);
    },
    [Symbol.asyncDispose]: async () => void (await program.kill9()),
  };
}

const services: Readonly<Record<OrderServiceName, string>> = {
  inventory: "inventory.v1.InventoryService",
  payment: "payment.v1.PaymentService",
  shipping: "shipping.v1.ShippingService",
};

const example = path.join(repositoryRoot, "examples/order");

function command(
  name: OrderServiceName,
  otlpEndpoint: string | undefined,
): { readonly command: string; readonly args: readonly string[] } {
  switch (name) {
    case "inventory": {
      const tracing = otlpEndpoint === undefined ? [] : ["--require", path.join(example, "inventory/tracing.cjs")];
      return { command: process.execPath, args: [...tracing, path.join(example, "inventory/server.js")] };
    }
    case "payment":
      return { command: pythonWithGrpc(), args: [path.join(example, "payment/server.py")] };
    case "shipping":
      return { command: process.execPath, args: [path.join(example, "shipping/server.js")] };
  }
}

/** Spans go out soon after they end, so that nobody waits for a batch. */
function tracingEnv(name: OrderServiceName, otlpEndpoint: string | undefined): Record<string, string> {
  if (name === "payment") return { PYTHONDONTWRITEBYTECODE: "1" };
  if (name !== "inventory" || otlpEndpoint === undefined) return {};
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint,
    OTEL_SERVICE_NAME: "inventory",
    OTEL_BSP_SCHEDULE_DELAY: "100",
    OTEL_METRICS_EXPORTER: "none",
    OTEL_LOGS_EXPORTER: "none",
  };
}

function readJournal(file: string): readonly JournalEntry[] {
  if (!existsSync(file)) return [];
  const finished = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return finished.map((line) => JSON.parse(line) as JournalEntry);
}
