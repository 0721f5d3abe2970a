import type { PlantedBug } from "./plantedBugs.ts";

const engine = "orchestrator/src/engine";
const processor = "orchestrator/src/processor";

/** Bugs of what people do to runs that have ended: they have them gone on for, and deleted. */
export const afterlifeBugs: readonly PlantedBug[] = [
  {
    kind: "source",
    name: "rerun: what a step of a block did is taken over though the block is done again",
    file: `${engine}/rerun.ts`,
    find: "  const { index } = at.plan;",
    replace: "  const index = body.steps.includes(at.plan) ? at.plan.index : 0;",
  },
  {
    kind: "source",
    name: "rerun: a second request counts, too",
    file: `${engine}/rerun.ts`,
    find: '  if (state.rerun !== undefined) {\n    const message = "another run',
    replace: '  if (state.rerun !== undefined && step === "") {\n    const message = "another run',
  },
  {
    kind: "source",
    name: "rerun: what is to be undone is forgotten",
    file: `${engine}/rerun.ts`,
    find: "    owed: isOwed,",
    replace: "    owed: false && isOwed,",
  },
  {
    kind: "source",
    name: "rerun: results are not taken over",
    file: `${engine}/rerun.ts`,
    find: "    result: result?.bytes,",
    replace: "    result: undefined,",
  },
  {
    kind: "source",
    name: "rerun: the step before it is done again",
    file: `${engine}/rerun.ts`,
    find: "    plan.body.steps.findIndex(({ name }) => name === step),\n  );\n}\n\nfunction endState",
    replace: "    plan.body.steps.findIndex(({ name }) => name === step) - 1,\n  );\n}\n\nfunction endState",
  },
  {
    kind: "source",
    name: "rerun: the key stays with the run that is gone on for",
    file: `${processor}/rerunStart.ts`,
    find: 'if (isThere && started.key !== "" && !(await',
    replace: 'if (isThere && started.key === " " && !(await',
  },
  {
    kind: "source",
    name: "delete: a run that is deleted is gone on for",
    file: `${engine}/rerun.ts`,
    find: "  if (state.deleting !== undefined) return false;\n  const place",
    replace: "  const place",
  },
  {
    kind: "source",
    name: "delete: it is asked for twice",
    file: `${engine}/fold.ts`,
    find: "  if (state.deleting !== undefined) return false;\n  state.deleting =",
    replace: "  state.deleting =",
  },
  {
    kind: "source",
    name: "delete: the key stays",
    file: `${processor}/deletion.ts`,
    find: "askedAt: number): Promise<void> {\n  const first = await ground.log.firstEvent(runId);\n  await unlessLeft(ground, () => freeKey(ground, runId, startIn(first)));",
    replace: "askedAt: number): Promise<void> {\n  const first = await ground.log.firstEvent(runId);",
  },
  {
    kind: "source",
    name: "delete: the next owner does not look for requests",
    file: `${processor}/deletions.ts`,
    find: "const unread: Stretch[] = window.deleting === 0 ? [] :",
    replace: "const unread: Stretch[] = window.deleting >= 0 ? [] :",
  },
];
