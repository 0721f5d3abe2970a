import {
  HealthCheckResponse_ServingStatus as Serving,
  HealthClient,
} from "../../../proto/gen/grpc/health/v1/health.ts";
import { channelCredentials } from "../doorCredentials.ts";
import { CliFailure } from "../failure.ts";
import type { FrontClient } from "../frontClient.ts";
import { durationText } from "../time.ts";
import { bad, notice, ok } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { serviceChecks } from "./serviceChecks.ts";

const checkMs = 5_000;
/** More than a moment behind is worth a word. */
const lagToldMs = 3_000;

/** The orchestrator: whether it answers and takes runs, what is deployed, whether the services that it calls are there, how far the index is, and what waits for a person. */
export async function* orchestratorChecks(client: FrontClient): AsyncGenerator<Finding> {
  const health = new HealthClient(client.address, channelCredentials());
  try {
    const { status } = await client.call(health.check.bind(health), { service: "" }, checkMs);
    const isServing = status === Serving.SERVING;
    if (isServing) yield ok("orchestrator", `${client.address} answers and takes runs`);
    else
      yield bad(
        "orchestrator",
        `${client.address} answers, and takes no runs`,
        "look at its log and its /readyz: it has no NATS, NATS has no room to store more, or it has just started",
      );
  } catch (error) {
    yield failed("orchestrator", error);
    return;
  } finally {
    health.close();
  }
  yield* await checked("workflows", async () => [await workflows(client)]);
  yield* await checked("services", () => serviceChecks(client));
  yield* await checked("index", async () => [await index(client)]);
  yield* await checked("incidents", async () => [await incidents(client)]);
}

/** A check whose failure is a finding itself. */
async function checked(about: string, check: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await check();
  } catch (error) {
    return [failed(about, error)];
  }
}

function failed(about: string, error: unknown): Finding {
  if (error instanceof CliFailure) return bad(about, `${error.message} (${error.where})`, error.next);
  return bad(about, error instanceof Error ? error.message : String(error), "");
}

async function workflows(client: FrontClient): Promise<Finding> {
  const { workflows: all } = await client.call(client.definitions.list.bind(client.definitions), {}, checkMs);
  const active = all.filter(({ activeVersion }) => activeVersion > 0);
  if (active.length === 0) return notice("workflows", "none is deployed", "sidestep deploy <folder>");
  return ok("workflows", `${active.length} deployed`);
}

async function index(client: FrontClient): Promise<Finding> {
  try {
    const { description, lag } = await client.call(client.runs.getIndex.bind(client.runs), {}, checkMs);
    const behindMs = lag === undefined ? 0 : Number(lag.seconds) * 1000 + lag.nanos / 1e6;
    if (behindMs < lagToldMs) return ok("index", description);
    return notice(
      "index",
      `${description}, ${durationText(behindMs)} behind`,
      "it catches up; sidestep index describe",
    );
  } catch (error) {
    if (error instanceof CliFailure && error.where.includes("INDEX_OFF"))
      return notice("index", "the orchestrator keeps none: there are no lists of runs", error.next);
    throw error;
  }
}

async function incidents(client: FrontClient): Promise<Finding> {
  const asked = { filter: "", pageSize: 1_000 };
  const { groups } = await client.call(client.runs.listIncidents.bind(client.runs), asked, checkMs);
  const runs = groups.reduce((sum, group) => sum + group.runs, 0n);
  if (runs === 0n) return ok("incidents", "none is open");
  return notice("incidents", `${runs} runs wait for a person`, "sidestep incident list");
}
