import { MeshAsk, MeshCall, MeshReply, MeshState } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { Failure_Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { isReplySubject } from "../../../proto/wire/inbox.ts";
import { Encoder } from "../../../proto/wire/encoder.ts";
import { KeyTable } from "../../../proto/wire/keyTable.ts";
import { remembered } from "../../../proto/wire/remembered.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { MessageWriter } from "../../../runtime/src/messageWriter.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";

/** Makes calls that other services ask for. */
export interface MeshCalls {
  /** Never rejects. */
  make(caller: string, call: MeshCall): Promise<MeshReply>;
  /** It says of itself that it may be called twice. */
  isIdempotent(method: string): boolean;
}

/** One sidecar of the called service takes each call. */
const queue = "mesh";
const payloadBytesDefault = 1024 * 1024;

const { toBytes } = new Encoder();

/**
 * Takes calls of a service's methods from those that may call it ("*": from all) until it is disposed of; what is on its way then is answered, too. Whether a call
 * is under way is answered as long as the connection lives.
 */
export function serveMesh(
  nats: Nats,
  names: Names,
  service: string,
  callers: readonly string[],
  calls: MeshCalls,
): AsyncDisposable {
  const { connection } = nats;
  const writer = new MessageWriter(connection);
  const callerAt = names.meshSubject("a", "b").split(".").length - 1;
  const callerIn = remembered((subject) => (subject.split(".")[callerAt] ?? "").replaceAll("-", "."));
  const subjects = callers.includes("*") ? ["*"] : callers;
  const underWay = new KeyTable<{ readonly key: string }>();
  const serve = async (caller: string, call: MeshCall, reply: string): Promise<void> => {
    const key = `${caller} ${toHex(call.id)}`;
    // One that is sent twice is asked for as one.
    const entry = { key };
    const isFirst = underWay.get(key) === undefined;
    if (isFirst) underWay.add(entry);
    const answer = await calls.make(caller, call);
    if (isFirst) underWay.delete(key);
    if (connection.isClosed()) return;
    writer.write(reply, fitting(answer, connection.info?.max_payload), "", "");
    writer.flush();
  };
  const subscriptions = subjects.map((caller) =>
    connection.subscribe(names.meshSubject(service, caller), {
      queue,
      callback: (error, { subject, data, reply }) => {
        if (error !== null || reply === undefined || !isReplySubject(reply)) return;
        const call = read(data);
        if (call === undefined || splitMethod(call.method).service !== service) return;
        void serve(callerIn(subject), call, reply);
      },
    }),
  );
  for (const caller of subjects)
    connection.subscribe(names.meshAskSubject(service, caller), {
      callback: (error, { subject, data, reply }) => {
        if (error !== null || reply === undefined || !isReplySubject(reply)) return;
        const ask = readAsk(data);
        if (ask === undefined || splitMethod(ask.method).service !== service) return;
        // Who asks for a call is answered by who has it alone.
        if (ask.id.length > 0 && underWay.get(`${callerIn(subject)} ${toHex(ask.id)}`) === undefined) return;
        const isIdempotent = calls.isIdempotent(ask.method);
        if (!connection.isClosed()) connection.publish(reply, MeshState.encode({ isIdempotent }).finish());
      },
    });
  return {
    [Symbol.asyncDispose]: async () => {
      if (!nats.isConnected()) return;
      // It fails when the connection is lost meanwhile, and then nothing more comes.
      await Promise.allSettled(subscriptions.map((one) => one.drain()));
    },
  };
}

/** An answer that no message has room for is told as that. */
function fitting(reply: MeshReply, bytesMax = payloadBytesDefault): Uint8Array {
  const data = toBytes(MeshReply, reply);
  if (data.length <= bytesMax) return data;
  const message = `the answer has ${data.length} bytes, the mesh carries ${bytesMax}`;
  const failure = {
    code: code.RESOURCE_EXHAUSTED,
    message,
    details: new Uint8Array(),
    origin: Failure_Origin.TRANSPORT,
  };
  return MeshReply.encode({ ...reply, kind: { $case: "failed", value: failure }, sent: true }).finish();
}

function read(data: Uint8Array): MeshCall | undefined {
  try {
    const call = MeshCall.decode(data);
    // A call without an end would keep its place for ever.
    return { ...call, timeoutMs: Math.max(1, call.timeoutMs) };
  } catch {
    return undefined;
  }
}

function readAsk(data: Uint8Array): MeshAsk | undefined {
  try {
    return MeshAsk.decode(data);
  } catch {
    return undefined;
  }
}
