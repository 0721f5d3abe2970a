import { startNats } from "../support/nats.ts";
import type { Nats } from "../support/nats.ts";
import { openCaller } from "./caller.ts";
import type { Caller } from "./caller.ts";
import { describeMachine, machineText } from "./machine.ts";
import { startProduct } from "./product.ts";
import type { Member, Orchestrator, Product, ProductOptions } from "./product.ts";
import { openInspector } from "./profile/inspector.ts";
import type { Inspector } from "./profile/inspector.ts";
import { startDriver, warmUp } from "./rounds.ts";
import type { Driver } from "./rounds.ts";
import { serviceNames, startService } from "./services/service.ts";
import type { ServiceKind } from "./services/service.ts";

/** The product alone on a nats-server of its own, with a service and callers: what all but the comparison with the floors is measured on. */
export interface Stack extends AsyncDisposable {
  readonly nats: Nats;
  readonly product: Product;
  /** The first of each. */
  readonly orchestrator: Orchestrator;
  readonly sidecar: Member;
  readonly caller: Caller;
  /** Drives load from a process of its own. */
  readonly driver: Driver;
  readonly pids: Readonly<Record<"orchestrator" | "sidecar" | "natsServer", number>>;
  /** Keeps the side for what drives it. */
  readonly side: { readonly address: string; readonly name: "product" };
  inspect(member: Member): Promise<Inspector>;
}

/** What may differ. */
export type StackOptions = Omit<ProductOptions, "natsUrl" | "sidecars"> & {
  readonly service?: ServiceKind;
  /** Seconds of load before anything is measured. */
  readonly warmUpSeconds?: number;
};

/** A line of progress. */
export function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** What stands above each report. */
export async function heading(service: ServiceKind, sync = "2m, the default"): Promise<string> {
  const machine = machineText(await describeMachine());
  return `${machine}\nService: ${serviceNames[service]}. One nats-server, sync_interval: ${sync}. All of it and the caller share this machine.\n`;
}

/** Starts it, and loads it until JavaScript has come up to its speed. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { service = "plain", warmUpSeconds = 5, ...others } = options;
  await using started = new AsyncDisposableStack();
  const nats = started.use(await startNats());
  const echo = await startService(service);
  started.use(echo.program);
  const product = started.use(
    await startProduct({ ...others, natsUrl: nats.url, sidecars: [{ service: echo.address }] }),
  );
  const [orchestrator] = product.orchestrators;
  const [sidecar] = product.sidecars;
  if (orchestrator === undefined || sidecar === undefined) throw new Error("the product is not whole");
  const driver = started.use(await startDriver());
  const caller = started.use(openCaller(orchestrator.address));
  const side = { address: orchestrator.address, name: "product" } as const;
  if (warmUpSeconds > 0) await warmUp(driver, side, warmUpSeconds);
  const owned = started.move();
  return {
    nats,
    product,
    orchestrator,
    sidecar,
    caller,
    driver,
    pids: { orchestrator: orchestrator.program.pid, sidecar: sidecar.program.pid, natsServer: nats.pid() },
    side,
    inspect: async (member) => owned.use(await openInspector(member.program)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
