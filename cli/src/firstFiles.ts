const bufConfiguration = `version: v2
modules:
  - path: proto
`;

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
sidestep check                                                   # what is wrong, with file:line:column
sidestep orchestrator                                            # needs a nats-server; see NATS_URL
sidestep sidecar --service localhost:50051                       # beside your greeting service
sidestep deploy                                                  # checks again, then makes the workflow active
sidestep run exec hello.v1.HelloWorkflow/Hello -d '{"request_id": "1", "name": "world"}'
\`\`\`
`;

/** What `sidestep init` writes besides the schema, by path. */
export const firstFiles: ReadonlyMap<string, string> = new Map([
  ["buf.yaml", bufConfiguration],
  ["proto/greeting/v1/greeting.proto", service],
  ["proto/hello/v1/hello.proto", workflow],
  ["proto/README.md", readme],
]);
