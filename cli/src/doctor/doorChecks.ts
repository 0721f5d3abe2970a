import net from "node:net";
import { credentials } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { ServerReflectionClient } from "../../../proto/gen/grpc/reflection/v1/reflection.ts";
import type { ServerReflectionResponse } from "../../../proto/gen/grpc/reflection/v1/reflection.ts";
import { code, codeName } from "../../../proto/wire/status.ts";
import { bad, notice, ok } from "./finding.ts";
import type { Finding } from "./finding.ts";

const checkMs = 5_000;
const defaultOtlpPort = 4317;

/** A service process, as a sidecar finds what it offers. */
export async function serviceCheck(address: string): Promise<Finding> {
  const client = new ServerReflectionClient(address, credentials.createInsecure());
  try {
    const answer = await new Promise<ServerReflectionResponse>((resolve, reject) => {
      const stream = client.serverReflectionInfo({ deadline: Date.now() + checkMs });
      stream.on("data", resolve);
      stream.on("error", reject);
      stream.write({ host: "", messageRequest: { $case: "listServices", value: "*" } });
      stream.end();
    });
    const listed = answer.messageResponse?.$case === "listServicesResponse" ? answer.messageResponse.value.service : [];
    const names = listed.map(({ name }) => name).filter((name) => !name.startsWith("grpc."));
    if (names.length > 0) return ok("service", `${address} offers ${names.join(", ")}`);
    return bad("service", `${address} answers, and its reflection lists no service`, "register the services with it");
  } catch (error) {
    const status = isServiceError(error) ? error.code : code.UNKNOWN;
    if (status === code.UNIMPLEMENTED) {
      const next = "name its services to the sidecar: --expose or --descriptor-set; or turn reflection on in it";
      return notice("service", `${address} answers, without reflection`, next);
    }
    const told = `${address} does not answer as a gRPC server (${codeName(status)})`;
    return bad("service", told, "start the service; its address is that of the sidecar's --service");
  } finally {
    client.close();
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number";
}

/** Where traces go: whether somebody listens there. */
export async function otlpCheck(endpoint: string): Promise<Finding> {
  const url = URL.parse(endpoint.includes("://") ? endpoint : `http://${endpoint}`);
  if (url === null || url.hostname === "")
    return bad("otlp", `${JSON.stringify(endpoint)} is no address`, "give it as http://host:4317");
  const port = url.port === "" ? defaultOtlpPort : Number(url.port);
  const socket = net.connect({ host: url.hostname, port });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
      socket.setTimeout(checkMs, () => reject(new Error("no answer")));
    });
    return ok("otlp", `somebody listens at ${url.hostname}:${port}`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return notice(
      "otlp",
      `nobody takes traces at ${url.hostname}:${port}: ${why}`,
      "runs go on; traces of now are lost",
    );
  } finally {
    socket.destroy();
  }
}
