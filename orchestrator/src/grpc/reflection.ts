import type { ServerDuplexStream } from "@grpc/grpc-js";
import { ServerReflectionService } from "../../../proto/gen/grpc/reflection/v1/reflection.ts";
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../../../proto/gen/grpc/reflection/v1/reflection.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Closing } from "./closing.ts";
import type { DescribedFile, DescribedServices } from "./describedServices.ts";
import type { Rpcs } from "./rpcs.ts";

type Stream = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;
type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;

/** Serves reflection v1, and v1alpha, whose messages are the same, from what `read` gives at the time of each request. It never rejects. */
export function serveReflection(
  rpcs: Pick<Rpcs, "addBidi">,
  read: () => Promise<DescribedServices>,
  closing: Closing,
): void {
  const { responseSerialize, requestDeserialize } = ServerReflectionService.serverReflectionInfo;
  for (const version of ["v1", "v1alpha"]) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    rpcs.addBidi({
      path,
      handler: (stream: Stream) => converse(stream, read, closing),
      serialize: responseSerialize,
      deserialize: requestDeserialize,
    });
  }
}

function converse(stream: Stream, read: () => Promise<DescribedServices>, closing: Closing): void {
  const sent = new Set<DescribedFile>();
  const forget = closing.onClose(() => stream.end());
  // grpc-js says "cancelled" of every call that is over, however it ended.
  stream.on("cancelled", forget);
  stream.on("data", (request: ServerReflectionRequest) => {
    // One at a time, so that answers come in the order of the requests.
    stream.pause();
    void read().then((described) => {
      const messageResponse = answer(request, described, sent);
      if (!stream.writableEnded) stream.write({ validHost: request.host, originalRequest: request, messageResponse });
      stream.resume();
    });
  });
  stream.on("end", () => stream.end());
  stream.on("error", () => stream.end());
}

function answer(request: ServerReflectionRequest, described: DescribedServices, sent: Set<DescribedFile>): Answer {
  const asked = request.messageRequest;
  switch (asked?.$case) {
    case "listServices":
      return { $case: "listServicesResponse", value: { service: described.services.map((name) => ({ name })) } };
    case "fileByFilename":
      return files(described.fileNamed(asked.value), `no file ${asked.value}`, sent);
    case "fileContainingSymbol":
      return files(described.fileOf(asked.value), `no symbol ${asked.value}`, sent);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = asked.value;
      const file = described.fileOfExtension(containingType, extensionNumber);
      return files(file, `no extension ${extensionNumber} of ${containingType}`, sent);
    }
    case "allExtensionNumbersOfType": {
      const value = { baseTypeName: asked.value, extensionNumber: [...described.extensionsOf(asked.value)] };
      return { $case: "allExtensionNumbersResponse", value };
    }
    case undefined:
      return refused(code.INVALID_ARGUMENT, "the request asks for nothing that is known here");
  }
}

/** The file with all imports that this stream has not had yet, so that files of one name in two contracts don't mix. */
function files(file: DescribedFile | undefined, otherwise: string, sent: Set<DescribedFile>): Answer {
  if (file === undefined) return refused(code.NOT_FOUND, otherwise);
  const wanted: DescribedFile[] = [file];
  for (const one of wanted) {
    for (const needed of one.imports()) if (!sent.has(needed) && !wanted.includes(needed)) wanted.push(needed);
  }
  for (const one of wanted) sent.add(one);
  return {
    $case: "fileDescriptorResponse",
    value: { fileDescriptorProto: wanted.map(({ bytes }) => Buffer.from(bytes)) },
  };
}

function refused(errorCode: number, errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode, errorMessage } };
}
