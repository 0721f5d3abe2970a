"use strict";

// Stock OpenTelemetry set-up: node --require ./tracing.cjs server.js
// Endpoint, service name and batching come from the OTEL_* variables.
const { NodeSDK } = require("@opentelemetry/sdk-node");
const { GrpcInstrumentation } = require("@opentelemetry/instrumentation-grpc");

const sdk = new NodeSDK({ instrumentations: [new GrpcInstrumentation()] });
sdk.start();

for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void sdk.shutdown());
