import type { IncomingMessage, ServerResponse } from "node:http";
import type { Attributes, Meter } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider } from "@opentelemetry/sdk-metrics";

/** The metrics of a process. Units stand in the names: the exporter adds only _total to counters. */
export interface Metrics extends AsyncDisposable {
  readonly meter: Meter;
  /** Answers a scrape in Prometheus' text form. */
  readonly scrape: (request: IncomingMessage, response: ServerResponse) => void;
}

/** Opens them; nothing listens until `scrape` is put behind a server. */
export function openMetrics(resource: Attributes, version: string): Metrics {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ resource: resourceFromAttributes(resource), readers: [exporter] });
  return {
    meter: provider.getMeter("sidestep", version),
    scrape: (request, response) => exporter.getMetricsRequestHandler(request, response),
    [Symbol.asyncDispose]: () => provider.shutdown(),
  };
}
