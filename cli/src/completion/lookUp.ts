import { run_StateToJSON } from "../../../proto/gen/sidestep/v1/run.ts";
import { contextsFile, readContexts } from "../contexts.ts";
import { openFrontClient } from "../frontClient.ts";
import type { Terminal } from "../terminal.ts";
import type { Candidate, LookedUp } from "./complete.ts";

/** Somebody waits at the keyboard. */
const lookUpMs = 1_500;
const runsMax = 50;

/** Words that an orchestrator or the configuration knows; none when it doesn't answer. */
export async function lookUp(
  listed: LookedUp,
  start: string,
  address: string,
  terminal: Terminal,
): Promise<readonly Candidate[]> {
  try {
    return await found(listed, start, address, terminal);
  } catch {
    // A line of completions is no place for an error.
    return [];
  }
}

async function found(
  listed: LookedUp,
  start: string,
  address: string,
  terminal: Terminal,
): Promise<readonly Candidate[]> {
  if (listed === "contexts") {
    const { contexts } = readContexts(contextsFile(terminal.environment));
    return Object.entries(contexts).map(([word, context]) => ({ word, about: context.address }));
  }
  using client = openFrontClient(address);
  switch (listed) {
    case "workflows": {
      const { workflows } = await client.call(client.definitions.list.bind(client.definitions), {}, lookUpMs);
      return workflows.map(({ workflow, activeVersion }) => ({ word: workflow, about: `version ${activeVersion}` }));
    }
    case "runs": {
      if (!/^[0-9a-f]*$/.test(start)) return [];
      const filter = start === "" ? "" : `id.startsWith("${start}")`;
      const asked = { filter, pageSize: runsMax, pageToken: "", skip: 0 };
      const { runs } = await client.call(client.runs.list.bind(client.runs), asked, lookUpMs);
      return runs.flatMap(({ run }) =>
        run === undefined
          ? []
          : [{ word: run.runId, about: `${run.workflow} ${run.key} ${run_StateToJSON(run.state).toLowerCase()}` }],
      );
    }
    case "bulks": {
      const { bulks } = await client.call(client.runs.listBulks.bind(client.runs), {}, lookUpMs);
      return bulks.map(({ bulkId, filter }) => ({ word: bulkId, about: filter }));
    }
    case "services": {
      const { services } = await client.call(client.services.listServices.bind(client.services), {}, lookUpMs);
      return services.map(({ service, waiting }) => ({ word: service, about: `${waiting} calls wait` }));
    }
    case "schedules": {
      const { schedules } = await client.call(client.schedules.list.bind(client.schedules), {}, lookUpMs);
      return schedules.map(({ scheduleId, workflow }) => ({ word: scheduleId, about: workflow }));
    }
    case "triggers": {
      const { triggers } = await client.call(client.triggers.list.bind(client.triggers), {}, lookUpMs);
      return triggers.map(({ triggerId, pattern }) => ({ word: triggerId, about: pattern }));
    }
    case "sidecars": {
      const { sidecars } = await client.call(client.services.listSidecars.bind(client.services), {}, lookUpMs);
      return sidecars.map(({ id, services }) => ({ word: id, about: services.join(", ") }));
    }
  }
}
