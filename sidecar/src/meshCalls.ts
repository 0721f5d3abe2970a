import { Failure_Origin } from "../../proto/gen/sidestep/internal/v1/task.ts";
import type { MeshCall, MeshReply } from "../../proto/gen/sidestep/internal/v1/relay.ts";
import { KeyTable } from "../../proto/wire/keyTable.ts";
import { code } from "../../proto/wire/status.ts";
import { splitMethod } from "../../proto/wire/subjects.ts";
import { refusalOf } from "./core/exposure.ts";
import { carriedHeaders } from "./core/meshHeaders.ts";
import { mayCallMore } from "./core/slots.ts";
import type { Slots } from "./core/slots.ts";
import type { MeshCalls } from "./nats/meshServer.ts";
import type { Service } from "./ports.ts";

export interface MeshCallsOptions {
  /** Shared with tasks. */
  readonly slots: Slots;
  /** One that is healthy and takes calls; undefined: it does not. */
  readonly provider: (service: string) => Service | undefined;
  /** A call for another service has ended, with a number of google.rpc.Code. */
  readonly onEnded: (method: string, number: number, durationMs: number) => void;
}

/** Calls that other services' sidecars ask for. */
export interface MadeCalls extends MeshCalls {
  /** Resolves when none is under way, at the latest after so many ms. */
  drain(boundMs: number): Promise<void>;
}

/** A call waits so long for a slot, behind at most one task; then another sidecar may have one. */
const slotWithinMs = 250;

/** Makes them beside a service: each takes a slot, as a task does, and no caller more than its share. */
export function openMeshCalls({ slots, provider, onEnded }: MeshCallsOptions): MadeCalls {
  const byCaller = new KeyTable<{ readonly key: string; calls: number }>();
  let all = 0;
  const line: (() => void)[] = [];
  let isEmpty = (): void => undefined;
  slots.addTaker(() => {
    if (line.length === 0 || !slots.take()) return false;
    line.shift()?.();
    return true;
  });
  const makeIn = async (call: MeshCall): Promise<MeshReply> => {
    const beganMs = performance.now();
    if (!slots.take() && !(await slotFrom(line))) return refused("its sidecar has as many calls as it makes at a time");
    try {
      const leftMs = Math.max(1, call.timeoutMs - Math.floor(performance.now() - beganMs));
      return await makeNow({ ...call, timeoutMs: leftMs }, provider, onEnded);
    } finally {
      slots.leave();
    }
  };
  return {
    make: async (caller, call) => {
      const known = byCaller.get(caller);
      const own = known ?? { key: caller, calls: 0 };
      if (!mayCallMore(own.calls, all, slots.total))
        return refused(`${caller} has as many calls at its sidecar as it gets`);
      if (known === undefined) byCaller.add(own);
      own.calls++;
      all++;
      try {
        return await makeIn(call);
      } finally {
        all--;
        own.calls--;
        if (own.calls === 0) byCaller.delete(caller);
        if (all === 0) isEmpty();
      }
    },
    isIdempotent: (method) => isIdempotent(provider(splitMethod(method).service), method),
    drain: async (boundMs) => {
      if (all === 0) return;
      const timer = setTimeout(() => isEmpty(), boundMs);
      await new Promise<void>((resolve) => (isEmpty = resolve));
      clearTimeout(timer);
    },
  };
}

/** Waits for a slot; false: none got free in time. */
function slotFrom(line: (() => void)[]): Promise<boolean> {
  return new Promise((resolve) => {
    const take = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    const timer = setTimeout(() => {
      line.splice(line.indexOf(take), 1);
      resolve(false);
    }, slotWithinMs);
    line.push(take);
  });
}

async function makeNow(
  call: MeshCall,
  provider: MeshCallsOptions["provider"],
  onEnded: MeshCallsOptions["onEnded"],
): Promise<MeshReply> {
  const { service, name } = splitMethod(call.method);
  const offering = provider(service);
  if (offering === undefined) return refused(`${service} takes no calls now`);
  const refusal = refusalOf(offering.offered, service, name, false);
  if (refusal !== undefined) return failed(code.UNIMPLEMENTED, refusal);
  const { ending } = offering.invoke({
    service,
    method: call.method,
    body: call.request,
    headers: carriedHeaders(call.headers),
    timeoutMs: call.timeoutMs,
    stream: undefined,
  });
  const ended = await ending;
  onEnded(call.method, ended.kind === "answered" ? code.OK : ended.code, ended.endedAtMs - ended.startedAtMs);
  const about = { isIdempotent: isIdempotent(offering, call.method) };
  if (ended.kind === "answered") return { ...about, kind: { $case: "completed", value: ended.response }, sent: true };
  const { message, details, origin, sent } = ended;
  const from = origin === "service" ? Failure_Origin.SERVICE : Failure_Origin.TRANSPORT;
  const failure = { code: ended.code, message, details, origin: from };
  return { ...about, kind: { $case: "failed", value: failure }, sent };
}

function isIdempotent(offering: Service | undefined, method: string): boolean {
  const { name } = splitMethod(method);
  return offering?.offered.methods?.find((one) => one.name === name)?.isIdempotent ?? false;
}

function refused(why: string): MeshReply {
  return { kind: { $case: "refused", value: why }, sent: false, isIdempotent: false };
}

function failed(number: number, message: string): MeshReply {
  const failure = { code: number, message, details: new Uint8Array(), origin: Failure_Origin.SIDECAR };
  return { kind: { $case: "failed", value: failure }, sent: false, isIdempotent: false };
}
