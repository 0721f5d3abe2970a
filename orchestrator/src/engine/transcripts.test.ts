import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { replayTranscript } from "./testing/transcript.ts";

// Each file is a story: a plan, then events with their times, and below each `----` what the engine asked for and how the run stands.
// `vitest run -u` writes the answers anew; read the diff before it is committed.
const folder = fileURLToPath(new URL("testdata/", import.meta.url));
const stories = readdirSync(folder).filter((name) => name.endsWith(".txt"));

test.each(stories)("%s", async (name) => {
  const path = folder + name;
  await expect(replayTranscript(readFileSync(path, "utf8"))).toMatchFileSnapshot(path);
});
