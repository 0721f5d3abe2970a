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
    find: "      } else held = taken.held;",
    replace:
      "      } else if ((await ground.keys.take(bucket, hash, record, taken.held.revision, signal)).kind === 'stored')\n" +
      "        return (await append(ground, prepared, runId, signal)) ?? unavailable('');\n" +
      "      else held = taken.held;",
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
    find: "      delivery: first.isFirst && !message.claim ? 1 : first.delivery,\n      recheck: mayHaveBegun(reason),",
    replace: "      delivery: 1,\n      recheck: mayHaveBegun(reason) && first.delivery < 0,",
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
    find: "    case AskReply_Verdict.NOT_NOW:\n    case AskReply_Verdict.MISFIT:\n    case AskReply_Verdict.UNRECOGNIZED:\n    case undefined:\n",
    replace:
      '    case undefined:\n      return { kind: "run" };\n    case AskReply_Verdict.NOT_NOW:\n    case AskReply_Verdict.MISFIT:\n    case AskReply_Verdict.UNRECOGNIZED:\n',
  },
  {
    kind: "source",
    name: "§6 a task is acknowledged before its outcome is stored",
    file: `${sidecar}/worker.ts`,
    find: "    const reported = await this.#ports.report(task, outcome);",
    replace: "    this.#ackAll(held);\n    const reported = await this.#ports.report(task, outcome);",
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
    name: "§9 a lock is granted to all who want it",
    file: "orchestrator/src/engine/lock.ts",
    find: "first === name ? grant(state, lock, holder, sequence) : undefined);",
    replace: "grant(state, lock, holder, sequence));",
  },
  {
    kind: "source",
    name: "§9 a released lock goes to nobody",
    file: "orchestrator/src/engine/lock.ts",
    find: "next === undefined ? undefined : grant(state, lock, next, sequence));",
    replace: "undefined);",
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
    find: "    for (const one of waiting) {\n",
    replace: "    for (const one of waiting.slice(1)) {\n",
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
  {
    kind: "source",
    name: "§7 a short timer is cancelled, and its turn is never done",
    file: `${processor}/execute.ts`,
    find: "    run.shortTimers?.delete(number);\n    release(owner, run, short.hold);\n    return;",
    replace: "    run.shortTimers?.delete(number);\n    return;",
  },
  {
    kind: "source",
    name: "§8 a caller asks once",
    file: `${processor}/wait.ts`,
    find: "pause(askAgainMs, ",
    replace: "pause(askAgainMs * 1_000_000, ",
  },
  {
    kind: "source",
    name: "§8 an end is told to nobody who waits",
    file: `${processor}/waiters.ts`,
    find: "  return state.ended === undefined ? undefined : {",
    replace: "  return state.ended === undefined || run.folded >= 0 ? undefined : {",
  },
  {
    kind: "source",
    name: "§10 a snapshot is of a later state than it says",
    file: `${processor}/summingUp.ts`,
    find: "sequence: state.lastSequence, started: state.started",
    replace: "sequence: state.lastSequence - 1, started: state.started",
  },
  {
    kind: "source",
    name: "§11 an event of a kind that nobody knows yet is garbage",
    file: `${processor}/fact.ts`,
    find: "number > lastKnownKind)",
    replace: "number > 1_000_000)",
  },
  {
    kind: "source",
    name: "§11 a start of a later revision is folded",
    file: `${processor}/fact.ts`,
    find: "if (revision > engineRevision) return",
    replace: "if (revision > 1_000 * engineRevision) return",
  },
  {
    kind: "source",
    name: "§7 a cancelled timer stays scheduled",
    file: `${processor}/execute.ts`,
    find: "arming === undefined ? cancel() : arming.then(cancel), undefined);",
    replace:
      'arming === undefined ? Promise.resolve({ kind: "stored", sequence: 1 } as const) : arming.then(cancel), undefined);',
  },
  {
    kind: "source",
    name: "§7 a cancellation does not wait for the arming",
    file: `${processor}/execute.ts`,
    find: "arming === undefined ? cancel() : arming.then(cancel), undefined);",
    replace: "cancel(), undefined);",
  },
  {
    kind: "source",
    name: "§7 a short timer is cancelled, and fires all the same",
    file: `${processor}/execute.ts`,
    find: "    clearTimeout(short.timeout);\n    run.shortTimers?.delete(number);\n    release(owner, run, short.hold);",
    replace:
      "    run.shortTimers?.delete(number);\n    keep(owner, run, short.hold);\n    release(owner, run, short.hold);",
  },
  {
    kind: "source",
    name: "§8 a request made again is another request",
    file: `${processor}/requests.ts`,
    find: 'const requestId = given === "" ? toHex(ground.randomBytes(16)) : given;',
    replace: "const requestId = toHex(ground.randomBytes(16));",
  },
  {
    kind: "source",
    name: "§8 a request is answered before it is folded",
    file: `${processor}/requests.ts`,
    find: "    const waited = await waitFor(ground, runId, theFold(written.sequence), signal);",
    replace:
      '    if (written.kind === "stored") return { kind: "done", ignored: false, refusal: "" };\n    const waited = await waitFor(ground, runId, theFold(written.sequence), signal);',
  },
  {
    kind: "source",
    name: "§9 a parent is told nothing",
    file: `${processor}/children.ts`,
    find: "  settle(owner, run, hold, owner.logOf(partition).append(parentId, `${run.runId}/ended`, event, { signal }), undefined);",
    replace:
      "  if (signal.aborted) settle(owner, run, hold, owner.logOf(partition).append(parentId, `${run.runId}/ended`, event, { signal }), undefined);",
  },
  {
    kind: "source",
    name: "§9 a refused start leaves no mark",
    file: `${processor}/children.ts`,
    find: "  const written = await log.appendFirst(id, event, { signal: owner.signal });\n  return afterFirst(owner, run, command, hold, child, written);",
    replace:
      '  if (log === undefined) return afterFirst(owner, run, command, hold, child, { kind: "conflict" });\n  return appendOwn(owner, run, hold, `${id}/refused`, event);',
  },
  {
    kind: "source",
    name: "§9 the start of a detached child is not told",
    file: `${processor}/children.ts`,
    find: '  if (!command.detach) return "done";\n',
    replace: '  if (command.at !== undefined) return "done";\n',
  },
  {
    kind: "source",
    name: "§9 the stop of a child is lost",
    file: `${processor}/children.ts`,
    find: 'if (command.kind === "stopChild") return tellStop(owner, run, command, hold, child);',
    replace: 'if (command.kind === "stopChild") return hold < 0 ? tellStop(owner, run, command, hold, child) : "done";',
  },
  {
    kind: "source",
    name: "§9 a child has two logs",
    file: `${processor}/children.ts`,
    find: "  const id = childRunId(run.runId, at.step, at.generation);",
    replace: "  const id = childRunId(run.runId, at.step, at.generation + owner.epoch);",
  },
  {
    kind: "source",
    name: "§9 a message is told before it is stored",
    file: `${processor}/emit.ts`,
    find: "const stored = await owner.messages.publish({ subject, type, id, headers, data: message }, { signal, deferAfterMs });",
    replace:
      'const stored = { kind: "stored", sequence: 1 } as Awaited<ReturnType<typeof owner.messages.publish>>;\n  void owner.messages.publish({ subject, type, id, headers, data: message }, { signal, deferAfterMs });',
  },
  {
    kind: "source",
    name: "§9 a message has another id each time",
    file: `${processor}/emit.ts`,
    find: "const id = `${run.runId}/${at.step}/g${at.generation}`;",
    replace: "const id = `${run.runId}/${at.step}/g${at.generation}/${owner.epoch}`;",
  },
];
