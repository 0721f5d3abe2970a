import { Client, Metadata, credentials } from "@grpc/grpc-js";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { parseKeyValues } from "./keyValues.ts";
import type { TraceSettings } from "./traceSettings.ts";

/** Hands exports of others on to a collector, as they came. */
export interface PassOn extends Disposable {
  /** Returns at once; what the collector does not take is lost, and said once. */
  send(bytes: Uint8Array): void;
}

const exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/** Exports under way; one more is dropped. */
const sendingMax = 64;

/** Undefined: the settings name no collector. */
export function openPassOn(settings: TraceSettings, log: Log): PassOn | undefined {
  const url = settings.otlpTracesEndpoint ?? settings.otlpEndpoint;
  if (url === undefined || settings.otelDisabled) return undefined;
  const way = settings.otlpProtocol === "grpc" ? overRpc(url, settings) : overHttp(url, settings);
  let sending = 0;
  let isAway = false;
  const failed = (reason: string): void => {
    if (!isAway) log.warn("spans of services can't be passed on; they are lost", { endpoint: url, error: reason });
    isAway = true;
  };
  return {
    send: (bytes) => {
      if (sending >= sendingMax) return failed(`${sendingMax} exports are under way`);
      sending += 1;
      way.send(bytes).then(
        () => {
          sending -= 1;
          if (isAway) log.info("spans of services are passed on again", { endpoint: url });
          isAway = false;
        },
        (error: unknown) => {
          sending -= 1;
          failed(errorText(error));
        },
      );
    },
    [Symbol.dispose]: () => way.close(),
  };
}

interface Way {
  send(bytes: Uint8Array): Promise<void>;
  close(): void;
}

function overHttp(url: string, { otlpTracesEndpoint, otlpHeaders, otlpTimeout }: TraceSettings): Way {
  const target = otlpTracesEndpoint ?? `${url.replace(/\/$/, "")}/v1/traces`;
  const headers = { ...parseKeyValues(otlpHeaders ?? ""), "content-type": "application/x-protobuf" };
  return {
    send: async (bytes) => {
      const signal = AbortSignal.timeout(otlpTimeout);
      const response = await fetch(target, { method: "POST", headers, body: new Uint8Array(bytes), signal });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`it answered with status ${response.status}`);
    },
    close: () => undefined,
  };
}

function overRpc(url: string, { otlpHeaders, otlpTimeout }: TraceSettings): Way {
  const { host, protocol } = new URL(url);
  const client = new Client(host, protocol === "https:" ? credentials.createSsl() : credentials.createInsecure());
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(parseKeyValues(otlpHeaders ?? ""))) metadata.set(key.toLowerCase(), value);
  const asIs = (bytes: Buffer): Buffer => bytes;
  return {
    send: (bytes) =>
      new Promise((resolve, reject) => {
        const options = { deadline: Date.now() + otlpTimeout };
        client.makeUnaryRequest(exportPath, asIs, asIs, Buffer.from(bytes), metadata, options, (error) =>
          error === null ? resolve() : reject(error),
        );
      }),
    close: () => client.close(),
  };
}
