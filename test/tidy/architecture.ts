/** One part of the system: what lies below `folder`, and all it may know. */
export type Part = {
  /** A folder or a file, from the root. The longest match counts. */
  readonly folder: string;
  /** Parts, or single files, it may import; a part may always import itself. `type:` before one: its types only (ports). */
  readonly imports: readonly string[];
  /** npm packages it may import; a trailing * is a prefix. */
  readonly packages: readonly string[];
  /** Decides and nothing else: no Node, nothing async, no clock, no chance (DESIGN rule 1). */
  readonly pure?: true;
};

const contracts = ["proto/gen", "proto/wire"];
/** Messages as JSON, for those who show them to people. */
const json = "proto/json";
const protobuf = ["@bufbuild/protobuf"];
const nats = ["@nats-io/*"];
const engine = "orchestrator/src/engine";
const expression = "orchestrator/src/engine/expression";
const cel = "orchestrator/src/compile/cel";
const compile = "orchestrator/src/compile";
const filter = "orchestrator/src/compile/filter";
const projection = "orchestrator/src/projection";
const processor = "orchestrator/src/processor";
const runtime = "runtime/src";
const http2 = "runtime/src/http2";
// What a loop may call of the runtime: words for the log, and waiting.
const forLoops = ["type:runtime/src", "runtime/src/log.ts", "runtime/src/pause.ts", "runtime/src/gate.ts"];
// A port with an error class of its own: who fulfils it throws that.
const runStore = "orchestrator/src/processor/runStore.ts";
const definitionStore = "orchestrator/src/processor/definitionStore.ts";
/** What an ingress checks before anything is written. */
const inbound = "orchestrator/src/processor/inbound.ts";
const closest = "orchestrator/src/compile/closest.ts";
const orchestratorAdapters = [
  "orchestrator/src/nats",
  "orchestrator/src/grpc",
  "orchestrator/src/otlp",
  "orchestrator/src/http",
  "orchestrator/src/sql",
  "orchestrator/src/webhook",
];
const partition = "testing/src/partition";
const world = "testing/src/world";
const kit = "testing/src/kit";
const sidecarAdapters = ["sidecar/src/nats", "sidecar/src/grpc"];

/**
 * The architecture, as a table: contracts, pure cores, loops, adapters, mains. Arrows point to the left of the walk only; what is not
 * listed is refused. ARCHITECTURE.md tells it in words.
 */
export const architecture: readonly Part[] = [
  // Contracts: where orchestrator and sidecar meet.
  { folder: "proto/wire", imports: ["proto/gen"], packages: protobuf, pure: true },
  { folder: json, imports: ["proto/gen"], packages: protobuf },

  // What every process of ours needs.
  {
    folder: runtime,
    imports: [...contracts, http2, "runtime/src/http2/wire"],
    packages: [...protobuf, ...nats, "@grpc/grpc-js", "@opentelemetry/*"],
  },
  // HTTP/2 knows nothing of the rest: frames and headers as data, and the connections around them.
  { folder: "runtime/src/http2/wire", imports: [], packages: [], pure: true },
  { folder: http2, imports: ["runtime/src/http2/wire"], packages: [] },

  // The orchestrator's pure core.
  {
    folder: expression,
    imports: contracts,
    packages: [...protobuf, "@bufbuild/cel", "@bufbuild/cel-spec"],
    pure: true,
  },
  { folder: engine, imports: [...contracts, expression], packages: protobuf, pure: true },
  {
    folder: cel,
    imports: [...contracts, expression, closest],
    packages: [...protobuf, "@bufbuild/cel", "@bufbuild/cel-spec"],
    pure: true,
  },
  // Filters of lists: parsed as expressions are, answered by a database.
  { folder: filter, imports: [...contracts, cel, compile], packages: ["@bufbuild/cel-spec"], pure: true },
  { folder: compile, imports: [...contracts, cel, expression, engine], packages: protobuf, pure: true },
  { folder: projection, imports: [...contracts, engine], packages: protobuf, pure: true },

  // Its loop, its adapters, its main.
  {
    folder: processor,
    imports: [...contracts, engine, expression, projection, compile, `type:${filter}`, ...forLoops],
    packages: protobuf,
  },
  {
    folder: "orchestrator/src/nats",
    imports: [...contracts, `type:${processor}`, definitionStore, inbound, `type:${engine}`, runtime],
    packages: [...protobuf, ...nats],
  },
  {
    folder: "orchestrator/src/grpc",
    imports: [
      ...contracts,
      `type:${processor}`,
      definitionStore,
      runStore,
      inbound,
      `type:${engine}`,
      `type:${compile}`,
      `type:${filter}`,
      `type:${projection}`,
      runtime,
      http2,
    ],
    packages: [...protobuf, "@grpc/grpc-js"],
  },
  {
    folder: "orchestrator/src/otlp",
    imports: [...contracts, `type:${processor}`, `type:${projection}`, runtime],
    packages: [...protobuf, "@opentelemetry/*", "@grpc/grpc-js"],
  },
  {
    folder: "orchestrator/src/webhook",
    imports: [...contracts, `type:${processor}`, `type:${projection}`, runtime],
    packages: protobuf,
  },
  {
    folder: "orchestrator/src/sql",
    imports: [...contracts, `type:${processor}`, runStore, `type:${projection}`, filter, runtime],
    packages: [...protobuf, "pg"],
  },
  { folder: "orchestrator/src/http", imports: [...contracts, json, `type:${processor}`, runtime], packages: protobuf },
  {
    folder: "orchestrator/src",
    imports: [
      ...contracts,
      json,
      engine,
      expression,
      compile,
      filter,
      projection,
      processor,
      ...orchestratorAdapters,
      runtime,
    ],
    packages: [...protobuf, "@opentelemetry/*"],
  },

  // The sidecar: core, loop, adapters, main.
  { folder: "sidecar/src/core", imports: contracts, packages: protobuf, pure: true },
  {
    folder: "sidecar/src/worker.ts",
    imports: [...contracts, "sidecar/src/core", "type:sidecar/src", ...forLoops],
    packages: protobuf,
  },
  {
    folder: "sidecar/src/nats",
    imports: [...contracts, "sidecar/src/core", "type:sidecar/src/worker.ts", "type:sidecar/src", runtime],
    packages: [...protobuf, ...nats],
  },
  {
    folder: "sidecar/src/grpc",
    imports: [
      ...contracts,
      "sidecar/src/core",
      http2,
      "runtime/src/http2/wire",
      "type:sidecar/src/worker.ts",
      "type:sidecar/src",
      runtime,
    ],
    packages: [...protobuf, "@grpc/grpc-js"],
  },
  {
    folder: "sidecar/src",
    imports: [...contracts, "sidecar/src/core", "sidecar/src/worker.ts", ...sidecarAdapters, runtime],
    packages: [...protobuf, "@opentelemetry/*"],
  },

  // The test kit: one partition's work without NATS (the simulation stands on it too), a world with services and people, and what its users see.
  { folder: partition, imports: [...contracts, engine], packages: protobuf, pure: true },
  {
    folder: world,
    imports: [...contracts, engine, partition, "sidecar/src/core/retryAfter.ts"],
    packages: protobuf,
  },
  {
    folder: kit,
    imports: [
      ...contracts,
      json,
      engine,
      `type:${expression}`,
      compile,
      partition,
      world,
      "cli/src/buildImage.ts",
      "type:cli/src",
      "cli/src/time.ts",
    ],
    packages: protobuf,
  },
  { folder: "testing/src", imports: [kit], packages: [] },

  // The command line: the doors of the two processes, the checker, and the public services.
  {
    folder: "cli/src",
    imports: [
      ...contracts,
      json,
      runtime,
      compile,
      cel,
      engine,
      projection,
      "orchestrator/src",
      "sidecar/src",
      partition,
      world,
      kit,
      "bin/nodeFlags.mjs",
      "bin/natsServer.mjs",
      // A stub is a server as ours is.
      "orchestrator/src/grpc/closing.ts",
      "orchestrator/src/grpc/describedServices.ts",
      "orchestrator/src/grpc/health.ts",
      "orchestrator/src/grpc/reflection.ts",
    ],
    packages: [...protobuf, "@grpc/grpc-js", "commander", "yaml"],
  },

  // The console: a program of the browser that knows the API and nothing else of ours. What a graph looks like is decided without one.
  { folder: "console/src/graph", imports: [], packages: [], pure: true },
  { folder: "console/src", imports: ["console/src/graph"], packages: [...protobuf, "react", "react-dom"] },
  { folder: "console/vite.config.ts", imports: [], packages: ["vite"] },

  // Around it.
  {
    folder: "scripts",
    imports: [
      "bin/nodeFlags.mjs",
      "bin/sources.mjs",
      "bin/natsServer.mjs",
      "bin/cacheFolder.mjs",
      "bin/privateApt.mjs",
    ],
    packages: ["esbuild", "vite", ...protobuf],
  },
  // The example's services know nothing of ours; the demo starts everything with the same means as the tests.
  { folder: "examples", imports: [], packages: ["@grpc/*"] },
  {
    folder: "examples/order/demo.ts",
    imports: ["examples/order/demo", "type:test/support"],
    packages: [],
  },
  {
    folder: "examples/order/demo",
    imports: ["proto/gen", projection, "test/support"],
    packages: ["@grpc/grpc-js", "@grpc/proto-loader"],
  },
  { folder: "test/support", imports: ["scripts", "bin/natsServer.mjs"], packages: [] },
  { folder: "docs/.vitepress", imports: [], packages: ["vitepress"] },
  { folder: "vitest.config.ts", imports: ["scripts"], packages: ["vitest"] },
];
