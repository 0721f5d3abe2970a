import type {
  deserialize as Deserialize,
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  serialize as Serialize,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { refusalOf } from "./access.ts";
import type { Admit } from "./access.ts";
import type { Audit } from "./audit.ts";
import { answerRecorded, streamRecorded } from "./recorded.ts";
import { toServiceError } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { callUnary } from "./localCall.ts";
import type { LocalAbout, LocalSink } from "./localCall.ts";
import { callStream, callTalk } from "./localStream.ts";
import type { LocalTalk } from "./localStream.ts";

/** An rpc as it is called. */
export type LocalRpc =
  | {
      readonly kind: "bidi";
      /** Begins a call. */
      readonly open: (about: LocalAbout, sink: LocalSink) => LocalTalk;
    }
  | {
      readonly kind: "unary" | "stream";
      /** Begins a call; the function that is returned gives it up. Throws when the request's bytes can't be read. */
      readonly call: (request: Uint8Array, about: LocalAbout, sink: LocalSink) => () => void;
      readonly endsWithRun: boolean;
    };

/** A method and the forms of its messages. */
export interface Method<Handler, Request, Response> {
  /** "/package.Service/Method" */
  readonly path: string;
  readonly handler: Handler;
  readonly serialize: Serialize<Response>;
  readonly deserialize: Deserialize<Request>;
  /** It answers with what the run comes to that its headers name: who loses the call may go on with that. */
  readonly endsWithRun?: boolean;
}

/** All rpcs of the front door: what is put in here is served over gRPC, and to callers inside this process. */
export interface Rpcs {
  addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation): void;
  addUnary<Request, Response>(method: Method<handleUnaryCall<Request, Response>, Request, Response>): void;
  addStream<Request, Response>(method: Method<handleServerStreamingCall<Request, Response>, Request, Response>): void;
  addBidi<Request, Response>(method: Method<handleBidiStreamingCall<Request, Response>, Request, Response>): void;
  remove(path: string): void;
  find(path: string): LocalRpc | undefined;
}

/** What each call passes before its handler. */
export interface Gates {
  /** Undefined: everybody may call. */
  readonly admit: Admit | undefined;
  readonly audit: Audit;
}

/** The rpcs of a front door. */
export function openRpcs({ admit, audit }: Gates): Rpcs {
  const local = new Map<string, LocalRpc>();
  const refusing = (path: string, call: Parameters<Admit>[1] & { readonly isLetIn?: boolean }): Failure | undefined =>
    call.isLetIn === true ? refusalOf(path.slice(1), call.metadata) : admit?.(path, call);
  const rpcs: Rpcs = {
    addService: (definition, implementation) => {
      for (const [name, { path, requestStream, responseStream, ...forms }] of Object.entries(definition)) {
        const handler = implementation[name];
        if (handler === undefined) throw new Error(`the service has no method ${path}`);
        const rpc = { path, serialize: forms.responseSerialize, deserialize: forms.requestDeserialize };
        // Which kind the handler is says the definition beside it; generated code keeps both together.
        const call = (...given: readonly unknown[]): void => Reflect.apply(handler, implementation, given);
        if (requestStream) rpcs.addBidi({ ...rpc, handler: call });
        else if (responseStream) rpcs.addStream({ ...rpc, handler: call });
        else rpcs.addUnary({ ...rpc, handler: call });
      }
    },
    addUnary: ({ path, handler: open, serialize, deserialize, endsWithRun = false }) => {
      const handler: typeof open = (call, answer) => {
        const refusal = refusing(path, call);
        const begun = audit.begin(path, call, refusal);
        if (begun !== undefined) void answerRecorded(begun, open, call, answer);
        else if (refusal === undefined) open(call, answer);
        else answer(toServiceError(refusal));
      };
      const call = (request: Uint8Array, about: LocalAbout, sink: LocalSink) =>
        callUnary(handler, serialize, deserialize(toBuffer(request)), about, sink);
      local.set(path, { kind: "unary", call, endsWithRun });
    },
    addStream: ({ path, handler: open, serialize, deserialize, endsWithRun = false }) => {
      const handler: typeof open = (call) => {
        const refusal = refusing(path, call);
        const begun = audit.begin(path, call, refusal);
        if (begun !== undefined) void streamRecorded(begun, open, call);
        else if (refusal === undefined) open(call);
        else call.emit("error", toServiceError(refusal));
      };
      const call = (request: Uint8Array, about: LocalAbout, sink: LocalSink) =>
        callStream(handler, serialize, deserialize(toBuffer(request)), about, sink);
      local.set(path, { kind: "stream", call, endsWithRun });
    },
    addBidi: ({ path, handler: open, serialize, deserialize }) => {
      const handler: typeof open = (call) => {
        const refusal = refusing(path, call);
        if (refusal === undefined) open(call);
        else call.emit("error", toServiceError(refusal));
      };
      const forms = { serialize, deserialize };
      local.set(path, { kind: "bidi", open: (about, sink) => callTalk(handler, forms, about, sink) });
    },
    remove: (path) => void local.delete(path),
    find: (path) => local.get(path),
  };
  return rpcs;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
