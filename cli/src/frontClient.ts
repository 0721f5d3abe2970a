import type { CallOptions, Client, Metadata, ServiceError } from "@grpc/grpc-js";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { ServerReflectionService } from "../../proto/gen/grpc/reflection/v1/reflection.ts";
import type { ServerReflectionResponse } from "../../proto/gen/grpc/reflection/v1/reflection.ts";
import { AuditClient } from "../../proto/gen/sidestep/v1/audit.ts";
import { DefinitionsClient } from "../../proto/gen/sidestep/v1/definitions.ts";
import { RunsClient } from "../../proto/gen/sidestep/v1/runs.ts";
import { SchedulesClient } from "../../proto/gen/sidestep/v1/schedules.ts";
import { ServicesClient } from "../../proto/gen/sidestep/v1/services.ts";
import { TriggersClient } from "../../proto/gen/sidestep/v1/triggers.ts";
import { callMetadata, channelCredentials } from "./doorCredentials.ts";
import { CliFailure, exit, toCliFailure } from "./failure.ts";

/** The front door of an orchestrator, for one command. */
export interface FrontClient extends Disposable {
  readonly address: string;
  readonly runs: RunsClient;
  readonly definitions: DefinitionsClient;
  readonly services: ServicesClient;
  readonly audit: AuditClient;
  readonly schedules: SchedulesClient;
  readonly triggers: TriggersClient;
  /** One unary call; throws CliFailure. */
  call<Request, Response>(method: Unary<Request, Response>, request: Request, timeoutMs?: number): Promise<Response>;
  /** The file that defines a service, and all that it imports; undefined: the orchestrator does not know it. */
  describe(service: string): Promise<readonly FileDescriptorProto[] | undefined>;
}

/** A unary method of a generated client, bound to it. */
export type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  answer: (error: ServiceError | null, response: Response) => void,
) => unknown;

const callTimeoutMs = 15_000;

/** Connects at the first call. */
export function openFrontClient(address: string): FrontClient {
  const options = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
  const runs = new RunsClient(address, channelCredentials(), options);
  const definitions = new DefinitionsClient(address, channelCredentials(), options);
  const services = new ServicesClient(address, channelCredentials(), options);
  const audit = new AuditClient(address, channelCredentials(), options);
  const schedules = new SchedulesClient(address, channelCredentials(), options);
  const triggers = new TriggersClient(address, channelCredentials(), options);
  return {
    address,
    audit,
    schedules,
    triggers,
    runs,
    definitions,
    services,
    call: (method, request, timeoutMs = callTimeoutMs) =>
      new Promise((resolve, reject) => {
        method(request, callMetadata(), { deadline: Date.now() + timeoutMs }, (error, response) => {
          if (error === null) resolve(response);
          else reject(toCliFailure(error, address));
        });
      }),
    describe: (service) => describe(runs, address, service),
    [Symbol.dispose]: () => {
      runs.close();
      definitions.close();
      services.close();
      audit.close();
      schedules.close();
      triggers.close();
    },
  };
}

/** Our front door answers with the file and all its imports at once. */
async function describe(
  client: Client,
  address: string,
  service: string,
): Promise<readonly FileDescriptorProto[] | undefined> {
  const { path, requestSerialize, responseDeserialize } = ServerReflectionService.serverReflectionInfo;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, callMetadata(), {
    deadline: Date.now() + callTimeoutMs,
  });
  const answered = Promise.withResolvers<ServerReflectionResponse>();
  stream.on("data", answered.resolve);
  stream.on("error", (error: ServiceError) => answered.reject(toCliFailure(error, address)));
  stream.write({ host: "", messageRequest: { $case: "fileContainingSymbol", value: service } });
  try {
    const { messageResponse } = await answered.promise;
    switch (messageResponse?.$case) {
      case "fileDescriptorResponse":
        return messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      case "errorResponse":
        return undefined;
      case "allExtensionNumbersResponse":
      case "listServicesResponse":
      case undefined:
        throw new CliFailure(
          exit.error,
          "reflection answered something else",
          `the orchestrator at ${address}`,
          "check that this is an orchestrator",
        );
    }
  } finally {
    stream.end();
    stream.cancel();
  }
}
