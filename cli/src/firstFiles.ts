const service = `syntax = "proto3";

// A service of yours: any gRPC server, in any language. It knows nothing of workflows.
package greeting.v1;

service GreetingService {
  rpc Greet(GreetRequest) returns (GreetResponse);
}

message GreetRequest {
  string name = 1;
}

message GreetResponse {
  string greeting = 1;
}
`;

const workflow = `syntax = "proto3";

package hello.v1;

import "sidestep/v1/workflow.proto";

service HelloWorkflow {
  // Greets someone. Calling this rpc starts a run; the answer comes when the run has ended.
  rpc Hello(HelloRequest) returns (HelloResponse) {
    option (sidestep.v1.workflow) = {
      // Two calls with the same key are one run.
      key: 'input.request_id'
      timeout: "1h"

      step {
        id: "greet"
        call {
          method: "greeting.v1.GreetingService/Greet"
          request: '{name: input.name}'
          retry { max_attempts: 5 }
          on_doubt: RETRY
          on_exhausted: FAIL
        }
      }

      step {
        id: "shout"
        let { value: 'greet.greeting + "!"' }
      }

      output: '{greeting: shout}'
    };
  }
}

message HelloRequest {
  string request_id = 1;
  string name = 2;
}

message HelloResponse {
  string greeting = 1;
}
`;

const readme = `# A first workflow

- hello/v1/hello.proto: the workflow, an rpc whose option lists its steps
- greeting/v1/greeting.proto: the contract of the service it calls
- sidestep/v1/workflow.proto: the options; their comments are the manual

\`\`\`sh
sidestep check                  # what is wrong, with file:line:column
sidestep dev                    # all it needs on this machine; deploys at each save, and sidestep.yaml has the service answered for
npm install && npm test         # the workflow without services: test/hello.test.js
sidestep run exec hello.v1.HelloWorkflow/Hello -d '{"request_id": "1", "name": "world"}'
\`\`\`
`;

const stubbed = `# What \`sidestep dev\` runs besides; docs/dev.md has all of it.
stubs:
  # Answered for until there is one. Then: services: [{ name: greeting, address: 127.0.0.1:50051 }]
  - greeting.v1.GreetingService
`;

const testFile = `import { fails, loadContracts, openSandbox } from "@sidestep/testing";
import { expect, test } from "vitest";

const contracts = await loadContracts(".");
const workflow = "hello.v1.HelloWorkflow/Hello";
const greet = "greeting.v1.GreetingService/Greet";
const request = { request_id: "1", name: "world" };

test("who is named is greeted, aloud", async () => {
  const box = openSandbox(contracts, { fakes: { [greet]: ({ name }) => ({ greeting: "Hello " + name }) } });
  const run = await box.start(workflow, request).ended();
  expect(run.response).toEqual({ greeting: "Hello world!" });
});

test("a service that is away is called five times, and then the run fails", async () => {
  const box = openSandbox(contracts, { fakes: { [greet]: fails("UNAVAILABLE", "away") } });
  const run = await box.start(workflow, request).ended();
  expect(run.status).toMatchObject({ code: "UNAVAILABLE", message: "away" });
  expect(box.calls(greet)).toHaveLength(5);
});
`;

/** What git is to leave alone in a project. */
export const ignored = "node_modules/\n.sidestep/\n";

/** Where the .proto files of a project are. */
export const bufConfiguration = `version: v2
modules:
  - path: proto
`;

/** What `sidestep init` writes besides the schema, by path. */
export const firstFiles: ReadonlyMap<string, string> = new Map([
  [".gitignore", ignored],
  ["buf.yaml", bufConfiguration],
  ["sidestep.yaml", stubbed],
  ["proto/greeting/v1/greeting.proto", service],
  ["proto/hello/v1/hello.proto", workflow],
  ["proto/README.md", readme],
]);

/** And what tests of it take, where there is no package.json yet. */
export const firstTests: ReadonlyMap<string, string> = new Map([["test/hello.test.js", testFile]]);
