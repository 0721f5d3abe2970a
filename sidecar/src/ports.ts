import type { PayloadRef } from "../../proto/gen/sidestep/internal/v1/event.ts";
import type { Ask, AskReply_Verdict, Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";
import type { AskReason, DeliveryAge } from "./core/admission.ts";
import type { Ending } from "./core/ending.ts";
import type { ExposedService } from "./core/exposure.ts";
import type { ParsedTask } from "./core/taskMessage.ts";

/** A task that lies in our hands until it is acknowledged, given back or set aside. */
export interface Delivery {
  readonly body: Uint8Array;
  readonly delivery: number;
  readonly streamSequence: number;
  /** By the stream's clock. */
  readonly storedAtMs: number;
  /** By this machine's clock. */
  readonly receivedAtMs: number;
  readonly age: DeliveryAge;
  /** The count says so, or all earlier deliveries came here and were given back before their call. */
  readonly isFirst: boolean;
  ack(): void;
  /** Gives it back; it is delivered again after the delay. `isUnbegun`: its call has certainly not begun here. */
  nak(delayMs: number, isUnbegun?: boolean): void;
  /** It is still being worked on. */
  extend(): void;
  /** It will never be delivered again. */
  discard(reason: string): void;
}

/** What is needed to make a call; everything comes from the task but the address. */
export type CallRequest = {
  readonly service: string;
  readonly method: string;
  readonly body: Uint8Array;
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array }[];
  readonly timeoutMs: number;
  /** Of a server-streaming rpc: how much is collected. Undefined: the rpc is unary. */
  readonly stream: { readonly messagesMax: number; readonly bytesMax: number } | undefined;
};

/** A call under way. */
export interface Call {
  readonly ending: Promise<Ending>;
  /** Resets it; the ending comes all the same. */
  reset(): void;
}

/** The service process beside us, as the worker sees it. */
export interface Service {
  readonly offered: ExposedService;
  invoke(request: CallRequest): Call;
}

export type Reported =
  | { readonly kind: "stored" }
  /** It can never be stored as it is. */
  | { readonly kind: "rejected"; readonly reason: string }
  /** The sidecar stops, and it is not stored. */
  | { readonly kind: "stopped" };

/** The worker's doors to the world. */
export interface WorkerPorts {
  /** Asks the owner of the run's partition; undefined: no answer. */
  ask(task: ParsedTask, ask: Ask): Promise<AskReply_Verdict | undefined>;
  /** Whether the service as it describes itself is known to fit a task. */
  readonly contracts: {
    /** Id of its description; empty: there is none. */
    contractOf(task: ParsedTask): string;
    /** The owner has to say. */
    isUnsure(task: ParsedTask): boolean;
    /** What it said before the call. */
    learn(task: ParsedTask, verdict: AskReply_Verdict | undefined): void;
  };
  /** Tries until the outcome is stored. */
  report(task: ParsedTask, outcome: Outcome): Promise<Reported>;
  readonly now: () => number;
  /** Estimated log time. */
  readonly logNow: () => number;
  /** Keeps an answer apart that is too large for an outcome; undefined: NATS does not take it now. */
  keep(task: ParsedTask, bytes: Uint8Array): Promise<PayloadRef | undefined>;
  /** A request that is kept apart; "gone" when it is no more, undefined: NATS does not answer. */
  fetch(ref: PayloadRef): Promise<Uint8Array | "gone" | undefined>;
  /** Value of a secret of this sidecar; undefined: it has none of that name. */
  secret(name: string): Promise<Uint8Array | undefined>;
  /** Waits between two questions. */
  pause(ms: number): Promise<void>;
  /** When the present connection to NATS began, in estimated log time. */
  readonly connectedAtMs: () => number;
  readonly observer: WorkerObserver;
}

/** What metrics and logs hang on. */
export interface WorkerObserver {
  /** A task is taken up that has waited so long in its queue; told of its first delivery only. */
  taken(task: ParsedTask, waitedMs: number): void;
  /** `outcome`: OK, a code's name, DROPPED, IN_DOUBT, GIVEN_BACK or GARBAGE. */
  ended(task: ParsedTask, outcome: string, durationMs: number): void;
  asked(reason: AskReason | "running" | "claimed", verdict: AskReply_Verdict | undefined): void;
  setAside(reason: string, delivery: Delivery): void;
  unreported(task: ParsedTask, reason: string): void;
}
