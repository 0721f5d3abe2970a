/** Metadata of the calls that sidecars make to services, and of answers that the front door gives. Lower case, as gRPC wants it. */
export const idempotencyKeyHeader = "idempotency-key";
export const runIdHeader = "sidestep-run-id";
/** Of a call of a streaming workflow: number of the first message that is wanted; of its answer: of the first that comes. */
export const fromHeader = "sidestep-from";
/** Trailer of a streaming workflow: number of the message that would come next. */
export const nextHeader = "sidestep-next";
/** Of an answer to a service through its sidecar: proof that it has begun or joined the run. With a call that asks for that run: the same. */
export const runProofHeader = "sidestep-run-proof";
export const stepHeader = "sidestep-step";
export const attemptHeader = "sidestep-attempt";
/** On a compensating call: the idempotency key of the call that it undoes. */
export const compensatesHeader = "sidestep-compensates";
export const traceparentHeader = "traceparent";
export const tracestateHeader = "tracestate";
/** Trailer with a google.rpc.Status. */
export const statusDetailsTrailer = "grpc-status-details-bin";
/** Trailer by which a server asks for a pause in milliseconds, or, negative, for no retry. */
export const pushbackTrailer = "grpc-retry-pushback-ms";
/** `domain` of every google.rpc.ErrorInfo of ours. */
export const errorDomain = "sidestep";
/** On a message that an emit step publishes: the full name of its protobuf type. */
export const typeHeader = "sidestep-type";
/** Who makes a call: told by the client, or, where tokens or certificates are asked for, set by the front door. */
export const actorHeader = "sidestep-actor";
/** The role of the token's holder; only the front door sets it. */
export const roleHeader = "sidestep-role";
