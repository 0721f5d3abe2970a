import type { CompiledImage } from "../../../orchestrator/src/compile/compileImage.ts";
import type { DeployedWorkflow } from "../../../proto/gen/sidestep/v1/definitions.ts";
import type { FrontClient } from "../frontClient.ts";
import { buildAndCheck, deployChecked, isActive, isChange } from "./redeploy.ts";
import type { Built } from "./redeploy.ts";
import type { Screen } from "./screen.ts";

/** What is deployed now. */
export interface DeployState {
  /** google.protobuf.FileDescriptorSet; undefined: nothing was deployed yet. */
  readonly image: Uint8Array | undefined;
  readonly compiled: CompiledImage | undefined;
  /** Those that can be started. */
  readonly workflows: readonly DeployedWorkflow[];
}

/** The contracts of a folder on their way into the orchestrator. */
export interface Deploys {
  /** Builds what there is, for the first deploy; gives the image when nothing is wrong with it. */
  prepare(): Promise<Uint8Array | undefined>;
  /** Builds and deploys what there is now, one at a time; what is asked for meanwhile is done once, after it. Resolves when all is done. */
  now(): Promise<void>;
  state(): DeployState;
}

interface DeploysOptions {
  readonly folder: string;
  readonly client: FrontClient;
  readonly screen: Screen;
  readonly color: boolean;
  readonly signal: AbortSignal;
}

/** Nothing is deployed before the first `now`. */
export function openDeploys({ folder, client, screen, color, signal }: DeploysOptions): Deploys {
  let state: DeployState = { image: undefined, compiled: undefined, workflows: [] };
  let isAskedAgain = false;
  let running: Promise<void> | undefined;
  let wasWrong = false;
  let warned = "";
  let prepared: Promise<Built> | undefined;
  const once = async (): Promise<void> => {
    const startedAt = performance.now();
    const isFirst = state.image === undefined;
    const built = await (prepared ?? buildAndCheck(folder, color));
    prepared = undefined;
    if (signal.aborted) return;
    const goesOn = isFirst ? "nothing is deployed yet" : "what was deployed goes on";
    if (built.kind === "wrong") {
      wasWrong = true;
      return screen.outcome(`${built.said}\n${screen.tone(`not deployed; ${goesOn}`, "bad")}`);
    }
    const answer = await deployChecked(client, built);
    if (signal.aborted) return;
    if (answer.kind === "refused") {
      wasWrong = true;
      return screen.outcome(`${answer.said}\n${screen.tone(`not deployed; ${goesOn}`, "bad")}`);
    }
    state = { image: built.image, compiled: built.compiled, workflows: answer.workflows.filter(isActive) };
    const took = `${Math.round(performance.now() - startedAt)} ms`;
    const told = outcomeText(answer.workflows, { isFirst, wasWrong, took, screen });
    wasWrong = false;
    // Warnings that were shown, and are the same for the same workflows, are no news.
    const isNews = built.said !== warned || answer.workflows.some(isChange);
    warned = built.said;
    const shown = [isNews ? built.said : "", told].filter((it) => it !== "");
    if (shown.length > 0) screen.outcome(shown.join("\n"));
  };
  const all = async (): Promise<void> => {
    do {
      isAskedAgain = false;
      await once();
    } while (isAskedAgain && !signal.aborted);
    running = undefined;
  };
  return {
    prepare: async () => {
      prepared = buildAndCheck(folder, color);
      const built = await prepared;
      return built.kind === "checked" ? built.image : undefined;
    },
    now: () => {
      if (running !== undefined) isAskedAgain = true;
      running ??= all();
      return running;
    },
    state: () => state,
  };
}

/** Empty: there is nothing to say. */
function outcomeText(
  workflows: readonly DeployedWorkflow[],
  { isFirst, wasWrong, took, screen }: { isFirst: boolean; wasWrong: boolean; took: string; screen: Screen },
): string {
  // What was right from the beginning is in the greeting.
  if (isFirst && !wasWrong) return "";
  const changed = isFirst ? workflows : workflows.filter(isChange);
  if (changed.length === 0)
    return wasWrong ? screen.tone(`nothing wrong any more; nothing changed  (${took})`, "good") : "";
  const lines = changed.map(
    (one) => `${isActive(one) ? "deployed" : "retired "} ${one.workflow}  version ${one.version}  (${took})`,
  );
  return screen.tone(lines.join("\n"), "good");
}
