import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { run_StateFromJSON } from "../../proto/gen/sidestep/v1/run.ts";
import { code } from "../../proto/wire/status.ts";
import type { CodeName } from "../../proto/wire/status.ts";
import { replayTranscript } from "../../orchestrator/src/engine/testing/transcript.ts";
import { toAnswer } from "../../orchestrator/src/grpc/runEnd.ts";
import { repositoryRoot } from "../support/program.ts";

const file = path.join(repositoryRoot, "docs/guarantees.md");
const page = readFileSync(file, "utf8");

const undoable = "step a call x.X/A undo=x.X/UndoA undo.attempts=1\nstep b call x.X/B attempts=1";
const plain = "step a call x.X/A attempts=1";
const aDone = "0s started\n1s completed a#1 ''";

/** What happens to a run, by what ends it: its plan and its events. */
const causes: readonly (readonly [cause: string, plan: string, events: string])[] = [
  ["its steps are done", plain, aDone],
  ["`return`", "step - return 'early'\nstep a call x.X/A", "0s started"],
  ["a step fails, nothing to undo", plain, "0s started\n1s failed a#1 NOT_FOUND 'gone'"],
  ["`fail`, nothing to undo", "step - fail OUT_OF_RANGE message='no'", "0s started"],
  [
    "a step fails, what was done is undone",
    undoable,
    `${aDone}\n2s failed b#1 NOT_FOUND 'gone'\n3s completed undo:a#1 ''`,
  ],
  [
    "a step fails, undoing is given up",
    undoable,
    `${aDone}\n2s failed b#1 NOT_FOUND 'gone'\n3s failed undo:a#1 INTERNAL 'bug'\n4s fail undo:a`,
  ],
  [
    "an incident is left by fail",
    undoable,
    `${aDone}\n2s failed b#1 UNAVAILABLE 'down'\n3s fail b\n4s completed undo:a#1 ''`,
  ],
  [
    "an incident is left by compensate",
    undoable,
    `${aDone}\n2s failed b#1 UNAVAILABLE 'down'\n3s compensate b\n4s completed undo:a#1 ''`,
  ],
  ["cancel, nothing to undo", plain, "0s started\n1s cancel\n2s failed a#1 CANCELLED 'reset'"],
  [
    "cancel, what was done is undone",
    undoable,
    `${aDone}\n2s cancel\n3s failed b#1 CANCELLED 'reset'\n4s completed undo:a#1 ''`,
  ],
  [
    "cancel, undoing is given up",
    undoable,
    `${aDone}\n2s cancel\n3s failed b#1 CANCELLED 'reset'\n4s failed undo:a#1 INTERNAL 'bug'\n5s fail undo:a`,
  ],
  ["terminate", undoable, `${aDone}\n2s terminate`],
  ["terminate while it is undone", undoable, `${aDone}\n2s failed b#1 NOT_FOUND 'gone'\n3s terminate`],
  [
    "its deadline, nothing to undo",
    `plan timeout=40s\n${plain}`,
    "0s started\n40s fired 1\n41s failed a#1 CANCELLED 'reset'",
  ],
  [
    "its deadline, what was done is undone",
    `plan timeout=40s\n${undoable}`,
    `${aDone}\n40s fired 1\n41s failed b#1 CANCELLED 'reset'\n42s completed undo:a#1 ''`,
  ],
  ["a child that failed", "step a run sub.S/Sub", "0s started\n1s childEnded a FAILED NOT_FOUND 'gone'"],
  [
    "a child that was cancelled",
    "step a run sub.S/Sub",
    "0s started\n1s childEnded a CANCELLED CANCELLED 'was cancelled'",
  ],
  [
    "a child that was terminated",
    "step a run sub.S/Sub",
    "0s started\n1s childEnded a TERMINATED ABORTED 'was terminated'",
  ],
  ["paused, then cancelled", plain, "0s started\n1s pause\n2s cancel\n3s failed a#1 CANCELLED 'reset'"],
  [
    "`compensate_now`, then its steps are done",
    "step a call x.X/A undo=x.X/UndoA\nstep - compensate_now",
    `${aDone}\n2s completed undo:a#1 ''`,
  ],
];

interface End {
  readonly state: string;
  readonly code: string;
  readonly reason: string;
}

/** How a run ends, and how its caller is answered. */
function endOf(plan: string, events: string): End {
  const story = replayTranscript(`${plan}\n\n${events}\n100s ended\n----`);
  const last = story.trimEnd().split("\n").at(-1) ?? "";
  const [, state = "", name = "OK"] = /^= ended (\w+)(?: at \S+)?(?: (\w+) '.*)?/.exec(last) ?? [];
  expect(state, story).not.toBe("");
  const status = name === "OK" ? undefined : { code: code[name as CodeName], message: "m", details: [] };
  const ended = {
    state: run_StateFromJSON(state),
    status,
    step: "",
    response: new Uint8Array(),
    responsePayload: undefined,
  };
  const answer = toAnswer("r", ended);
  if (answer.kind === "response") return { state, code: "OK", reason: "" };
  const found = Object.entries(code).find(([, number]) => number === answer.failure.code);
  return { state, code: found?.[0] ?? "", reason: answer.failure.reason };
}

const ends = causes.map(([cause, plan, events]) => ({ cause, end: endOf(plan, events) }));

test("docs/guarantees.md has the table of ends as engine and front door make them (vitest -u writes it)", async () => {
  const rows = ends.map(({ cause, end }) => `| ${cause} | ${end.state} | ${end.code} |`);
  const table = `| what ends the run | end state | the caller gets |\n|---|---|---|\n${rows.join("\n")}\n`;
  const written = page.replace(
    /(<!-- table: ends -->\n)[\s\S]*?(<!-- end -->)/,
    (_, begin: string, end: string) => `${begin}${table}${end}`,
  );
  expect(written).toContain(table);
  await expect(written).toMatchFileSnapshot(file);
});

test("every end state is reached, and an error's reason is the end state", () => {
  expect(new Set(ends.map(({ end }) => end.state))).toEqual(
    new Set(["COMPLETED", "FAILED", "COMPENSATED", "COMPENSATION_FAILED", "CANCELLED", "TERMINATED"]),
  );
  for (const { end } of ends) expect(end.reason).toBe(end.state === "COMPLETED" ? "" : end.state);
});
