import type { PlantedBug } from "./plantedBugs.ts";

const processor = "orchestrator/src/processor";
const sidecar = "sidecar/src";

/** Bugs of the loops around the engine, by the section of the protocol that they break. */
export const processorBugs: readonly PlantedBug[] = [
  {
    kind: "source",
    name: "§1 tokens are not checked",
    file: `${processor}/fact.ts`,
    find: "const authentic = credentials.isAuthentic(attemptKey(runId, outcome.attempt), outcome.token);",
    replace: "const authentic = true as boolean;",
  },
  {
    kind: "source",
    name: "§1 equal ids have other bytes",
    file: `${processor}/execute.ts`,
    find: "    timeoutMs: command.timeoutMs,\n    token:",
    replace: "    timeoutMs: command.timeoutMs + owner.epoch,\n    token:",
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
    name: "§3 the key's record is not compared",
    file: `${processor}/start.ts`,
    find: "ground.keys.take(bucket, hash, record, held?.revision ?? 0, signal)",
    replace:
      "ground.keys.read(bucket, hash).then((now) => ground.keys.take(bucket, hash, record, now?.revision ?? 0, signal))",
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
    name: "§4 the end is appended without expectation",
    file: `${processor}/execute.ts`,
    find: ".appendAfter(run.runId, expected, event, { signal: owner.signal })",
    replace: ".append(run.runId, `${run.runId}/end/${expected}`, event, { signal: owner.signal })",
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
    name: "§6 a redelivery is told as a first delivery",
    file: `${sidecar}/worker.ts`,
    find: "const facts: OutcomeFacts = { delivery: first.delivery, recheck, sidecar: this.#options.sidecar };",
    replace:
      "const facts: OutcomeFacts = { delivery: 1, recheck: recheck && first.delivery < 0, sidecar: this.#options.sidecar };",
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
    name: "§10 a load forgets the mailbox",
    file: `${processor}/residents.ts`,
    find: "    for (const record of records) {\n      this.#take(run, record);",
    replace: "    for (const record of records.slice(1)) {\n      this.#take(run, record);",
  },
  {
    kind: "source",
    name: "§10 a load ends before the event at hand",
    file: `${processor}/residents.ts`,
    find: ".filter(({ sequence }) => sequence < bound)",
    replace: ".filter(({ sequence }) => sequence < bound - 2)",
  },
];
