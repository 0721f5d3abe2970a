import { createInbox } from "@nats-io/transport-node";
import type { Subscription } from "@nats-io/transport-node";
import {
  Ask,
  AskReply,
  AskReply_Verdict,
  Control as ControlMessage,
  WaitReply,
  WaitRequest,
} from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { isInbox, isReplySubject } from "../../../proto/wire/inbox.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { Control, Questions } from "../processor/ports.ts";

const askTimeoutMs = 5000;
/** Requests of sidecars and front doors to a partition's owner, over core NATS. */
export function toQuestions(nats: Nats, names: Names, log: Log): Questions {
  const { connection } = nats;
  return {
    serve: (partition, answers) => {
      const asks = connection.subscribe(names.asksOfPartition(partition), {
        callback: (error, message) => {
          if (error !== null || message.reply === undefined) return;
          const { reply, subject } = message;
          const ask = decode(() => Ask.decode(message.data));
          if (ask === undefined || !isReplySubject(reply)) {
            log.warn("an ask can't be read", { subject });
            return;
          }
          void answers
            .ask(ask)
            .catch((cause: unknown) => {
              log.warn("an ask can't be answered now", { subject, error: cause });
              return AskReply_Verdict.NOT_NOW;
            })
            .then(
              (verdict) => connection.isClosed() || connection.publish(reply, AskReply.encode({ verdict }).finish()),
            );
        },
      });
      const waits = connection.subscribe(names.waitSubject(partition), {
        callback: (error, message) => {
          if (error !== null || message.reply === undefined) return;
          const request = decode(() => WaitRequest.decode(message.data));
          const isHeard = request?.notify === "" || isInbox(request?.notify ?? "");
          if (request === undefined || !isHeard || !isInbox(message.reply)) {
            log.warn("a wait can't be read", { subject: message.subject });
            return;
          }
          let to: string | undefined = message.reply;
          answers.wait(request, (reply) => {
            const subject = to ?? request.notify;
            to = undefined;
            if (subject !== "" && !connection.isClosed()) connection.publish(subject, WaitReply.encode(reply).finish());
          });
        },
      });
      return toDisposable(nats, [asks, waits]);
    },
    onReconnect: (listener) => nats.onReconnect(listener),
    wait: (partition, request, onReply) => {
      const notify = createInbox();
      const subscription = connection.subscribe(notify, {
        callback: (error, message) => {
          const reply = error === null ? decode(() => WaitReply.decode(message.data)) : undefined;
          if (reply !== undefined) onReply(reply);
        },
      });
      const data = WaitRequest.encode({ ...request, notify }).finish();
      return {
        ask: async () => {
          const subject = names.waitSubject(partition);
          const answer = await connection.request(subject, data, { timeout: askTimeoutMs }).catch(() => undefined);
          return answer === undefined ? undefined : decode(() => WaitReply.decode(answer.data));
        },
        ...toDisposable(nats, [subscription]),
      };
    },
  };
}

/** Resets of calls, told to all sidecars of a service. */
export function toControl(nats: Nats, names: Names): Control {
  return {
    reset: (method, runId, attempt, token) => {
      if (!nats.isConnected()) return;
      const reset = { runId: fromHex(runId), attempt, token };
      const data = ControlMessage.encode({ kind: { $case: "reset", value: reset } }).finish();
      nats.connection.publish(names.controlSubject(splitMethod(method).service), data);
    },
  };
}

function toDisposable(nats: Nats, subscriptions: readonly Subscription[]): Disposable {
  return {
    [Symbol.dispose]: () => {
      if (!nats.connection.isClosed()) for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}

function decode<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
