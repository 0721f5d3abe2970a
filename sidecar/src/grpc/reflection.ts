import { ServerReflectionRequest, ServerReflectionResponse } from "../../../proto/gen/grpc/reflection/v1/reflection.ts";
import { code } from "../../../proto/wire/status.ts";
import { parseFile } from "../core/descriptors.ts";
import type { DescribedFile } from "../core/descriptors.ts";
import { isInfrastructure } from "../core/exposure.ts";
import type { ServiceLink } from "./serviceLink.ts";

/** What a server says of itself. */
export type Reflection = {
  readonly version: "v1" | "v1alpha";
  readonly services: readonly string[];
  /** The files of the services and what they import, as far as the server knows them. */
  readonly files: readonly DescribedFile[];
  /** Services whose description the server does not have, with what it said. */
  readonly failures: readonly { readonly service: string; readonly message: string }[];
};

/** The server has reflection and it failed; `code` is the number of a gRPC status. */
export class ReflectionError extends Error {
  readonly code: number;
  constructor(number: number, message: string) {
    super(message);
    this.name = "ReflectionError";
    this.code = number;
  }
}

const timeoutMs = 5_000;
/** Files one server may send: reflection is foreign input. */
const filesMax = 2_000;

/** Asks by v1, and where there is none by v1alpha; undefined when the server has neither. Throws ReflectionError otherwise. */
export async function reflect(link: ServiceLink): Promise<Reflection | undefined> {
  for (const version of ["v1", "v1alpha"] as const) {
    try {
      return await converse(link, version);
    } catch (error) {
      if (!(error instanceof ReflectionError) || error.code !== code.UNIMPLEMENTED) throw error;
    }
  }
  return undefined;
}

async function converse(link: ServiceLink, version: Reflection["version"]): Promise<Reflection> {
  const untilMs = performance.now() + timeoutMs;
  const ask = (question: Question): Promise<ServerReflectionResponse> => askOne(link, version, question, untilMs);
  const listed = await ask({ $case: "listServices", value: "*" });
  if (listed.messageResponse?.$case !== "listServicesResponse")
    throw new ReflectionError(code.INTERNAL, "list_services was not answered");
  const services = listed.messageResponse.value.service.map((one) => one.name).toSorted();
  const files = new Map<string, DescribedFile>();
  const failures: { service: string; message: string }[] = [];
  await Promise.all(
    services
      .filter((service) => !isInfrastructure(service))
      .map(async (service) => {
        const problem = take(await ask({ $case: "fileContainingSymbol", value: service }), files);
        if (problem !== undefined) failures.push({ service, message: problem });
      }),
  );
  for (let missing = missingImports(files); missing.length > 0; missing = missingImports(files)) {
    const before = files.size;
    await Promise.all(missing.map(async (name) => take(await ask({ $case: "fileByFilename", value: name }), files)));
    // What the server does not have stays out; names and shapes of methods are enough for us.
    if (files.size === before || files.size > filesMax) break;
  }
  return { version, services, files: [...files.values()], failures };
}

function missingImports(files: ReadonlyMap<string, DescribedFile>): readonly string[] {
  return [...new Set([...files.values()].flatMap(({ outline }) => outline.dependency))].filter(
    (name) => !files.has(name),
  );
}

/** Keeps the files of an answer; what the server said when there are none. */
function take(response: ServerReflectionResponse, into: Map<string, DescribedFile>): string | undefined {
  const answer = response.messageResponse;
  if (answer?.$case === "errorResponse") return answer.value.errorMessage;
  if (answer?.$case !== "fileDescriptorResponse") return "an answer of another kind";
  for (const bytes of answer.value.fileDescriptorProto) {
    try {
      const outline = parseFile(bytes);
      if (!into.has(outline.name)) into.set(outline.name, { outline, bytes });
    } catch (error) {
      return `a descriptor that can't be read: ${String(error)}`;
    }
  }
  return undefined;
}

type Question = NonNullable<ServerReflectionRequest["messageRequest"]>;

/** A stream for each question, which ends with its answer: so it is a call like any other. */
async function askOne(
  link: ServiceLink,
  version: Reflection["version"],
  messageRequest: Question,
  untilMs: number,
): Promise<ServerReflectionResponse> {
  const request = ServerReflectionRequest.encode({ host: "", messageRequest }).finish();
  const leftMs = Math.max(1, Math.ceil(untilMs - performance.now()));
  let answer: Uint8Array | undefined;
  const method = `grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const asked = link.ask(method, request, leftMs, (message) => {
    answer ??= message;
  });
  const end = await asked.ended;
  if (end.code !== code.OK) throw new ReflectionError(end.code, end.message);
  if (answer === undefined)
    throw new ReflectionError(code.UNAVAILABLE, "the reflection stream ended without an answer");
  try {
    return ServerReflectionResponse.decode(answer);
  } catch (error) {
    throw new ReflectionError(code.INTERNAL, `an answer that can't be read: ${String(error)}`);
  }
}
