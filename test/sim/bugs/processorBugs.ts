import type { PlantedBug } from "./plantedBugs.ts";

const processor = "orchestrator/src/processor";
const sidecar = "sidecar/src";

/** Bugs of the loops around the engine, by the section of the protocol that they break. */
export const processorBugs: readonly PlantedBug[] = [
  {
    kind: "source",
    name: "§1 equal ids have other bytes",
    file: `${processor}/execute.ts`,
    find: "    timeoutMs: command.timeoutMs,\n    token:",
    replace: "    timeoutMs: command.timeoutMs + owner.epoch,\n    token:",
  },
  {
    kind: "source",
    name: "§1 tokens are not checked",
    file: `${processor}/fact.ts`,
    find: "const authentic = credentials.isAuthentic(attemptKey(runId, outcome.attempt), outcome.token);",
    replace: "const authentic = true as boolean;",
  },
  {
    kind: "source",
    name: "§2 short timers fire at once",
    file: `${processor}/execute.ts`,
    find: "    isShort ? inMs : scheduleAfterMs,",
    replace: "    isShort ? inMs / 2 : scheduleAfterMs,",
  },
  {
    kind: "source",
    name: "§3 a key is taken over at once",
    file: `${processor}/start.ts`,
    find: "const orphanedKeyMs = 60_000;",
    replace: "const orphanedKeyMs = 0;",
  },
  {
    kind: "source",
    name: "§3 a start is tried for ever",
    file: `${processor}/start.ts`,
    find: "const ackWithinMs = 20_000;",
    replace: "const ackWithinMs = 2_000_000;",
  },
  {
    kind: "source",
    name: "§3 the key's record is not compared",
    file: `${processor}/start.ts`,
    find: "ground.keys.take(bucket, hash, record, held?.revision ?? 0, signal)",
    replace:
      "ground.keys.read(bucket, hash).then((now) => ground.keys.take(bucket, hash, record, now?.revision ?? 0, signal))",
  },
  {
    kind: "source",
    name: "§4 a command that can't be durable is not told",
    file: `${processor}/settle.ts`,
    find: "if (command !== undefined) appendFailure(",
    replace: "if (command !== undefined && hold < 0) appendFailure(",
  },
  {
    kind: "source",
    name: "§4 a refused end is not tried again",
    file: `${processor}/partition.ts`,
    find: "    execute(this.#owner, run, ending, { hold: run.seen, atMs: 0, recheck: false });\n",
    replace: "",
  },
  {
    kind: "source",
    name: "§4 garbage hides an event",
    file: `${processor}/residents.ts`,
    find: "    see(run, sequence, isEvent);\n    this.#options.afterTurn(run);",
    replace: "    this.#options.afterTurn(run);",
  },
  {
    kind: "source",
    name: "§4 the checkpoint passes what is not durable",
    file: `${processor}/unfinished.ts`,
    find: "if (sequence !== undefined && held.has(sequence)) return",
    replace: "if (sequence !== undefined && held.size < 0) return",
  },
  {
    kind: "source",
    name: "§5 a new owner carries nothing out",
    file: `${processor}/takeover.ts`,
    find: "      carryOut(owner, window, run, issued, part.hold);\n",
    replace: "",
  },
  {
    kind: "source",
    name: "§5 a takeover folds less than the window",
    file: `${processor}/takeover.ts`,
    find: "filter(({ sequence }) => sequence <= head)",
    replace: "filter(({ sequence }) => sequence < head - 3)",
  },
  {
    kind: "source",
    name: "§6 a closed attempt never ends",
    file: `${processor}/execute.ts`,
    find: "  const written = arm(owner, run, expiryName(run, attempt), dueMs, event, { signal: owner.signal });",
    replace:
      "  const written = arm(owner, run, expiryName(run, attempt), dueMs + 1e9, event, { signal: owner.signal });",
  },
  {
    kind: "source",
    name: "§6 a redelivery is told as a first delivery",
    file: `${sidecar}/worker.ts`,
    find: "const facts: OutcomeFacts = { delivery: first.delivery, recheck, sidecar: this.#options.sidecar };",
    replace:
      "const facts: OutcomeFacts = { delivery: 1, recheck: recheck && first.delivery < 0, sidecar: this.#options.sidecar };",
  },
  {
    kind: "source",
    name: "§6 a sidecar asks nobody",
    file: `${sidecar}/worker.ts`,
    find: "reason === undefined ? admitted :",
    replace: "reason !== undefined ? admitted : admitted.kind === 'run' ? admitted :",
  },
  {
    kind: "source",
    name: "§6 a silent owner counts as a yes",
    file: `${sidecar}/core/admission.ts`,
    find: "    case AskReply_Verdict.NOT_NOW:\n    case AskReply_Verdict.UNRECOGNIZED:\n    case undefined:\n",
    replace:
      '    case undefined:\n      return { kind: "run" };\n    case AskReply_Verdict.NOT_NOW:\n    case AskReply_Verdict.UNRECOGNIZED:\n',
  },
  {
    kind: "source",
    name: "§6 a task is acknowledged before its outcome is stored",
    file: `${sidecar}/worker.ts`,
    find: "    let reported = await this.#ports.report(held.task, outcome);",
    replace: "    this.#ackAll(held);\n    let reported = await this.#ports.report(held.task, outcome);",
  },
  {
    kind: "source",
    name: "§6 the claim is not waited for",
    file: `${sidecar}/worker.ts`,
    find: 'asked.kind === "run" && task.message.claim ? this.#claim',
    replace: 'asked.kind === "run" && task.message.claim && facts.delivery < 0 ? this.#claim',
  },
  {
    kind: "source",
    name: "§10 a load ends before the event at hand",
    file: `${processor}/residents.ts`,
    find: ".filter(({ sequence }) => sequence < bound)",
    replace: ".filter(({ sequence }) => sequence < bound - 2)",
  },
  {
    kind: "source",
    name: "§10 a load forgets the mailbox",
    file: `${processor}/residents.ts`,
    find: '    for (const record of records) {\n      if (run.phase === "loading") {',
    replace: '    for (const record of records.slice(1)) {\n      if (run.phase === "loading") {',
  },
  {
    kind: "source",
    name: "§4 the end is appended without expectation",
    file: `${processor}/execute.ts`,
    find: ".appendAfter(run.runId, expected, event, { signal: owner.signal })",
    replace: ".append(run.runId, `${run.runId}/end/${expected}`, event, { signal: owner.signal })",
  },
  {
    kind: "source",
    name: "§5 garbage in the window of a takeover is forgotten",
    file: `${processor}/partition.ts`,
    find: "for (const { runId, sequence, isEvent } of garbage) this.#residents.deliverGarbage(runId, sequence, isEvent);",
    replace: "garbage.length = 0;",
  },
];
