import type { IncomingMessage, ServerResponse } from "node:http";
import { createHistogram, performance } from "node:perf_hooks";
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
  const meter = provider.getMeter("sidestep", version);
  const watched = watchEventLoop(meter);
  return {
    meter,
    scrape: (request, response) => exporter.getMetricsRequestHandler(request, response),
    [Symbol.asyncDispose]: () => {
      watched[Symbol.dispose]();
      return provider.shutdown();
    },
  };
}

/** A timer of this period is looked at: what it comes late by is what everything else waited. */
const loopPeriodMs = 20;

/**
 * The event loop of this process, since the last scrape: how late it came to what was due, and how much of the time it was busy. Node's own
 * monitorEventLoopDelay forgets the delay that follows a reset.
 */
function watchEventLoop(meter: Meter): Disposable {
  const delays = createHistogram();
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    delays.record(Math.max(1, Math.round((nowMs - lastMs - loopPeriodMs) * 1e6)));
    lastMs = nowMs;
  }, loopPeriodMs).unref();
  let since = performance.eventLoopUtilization();
  const gauge = (name: string, description: string) => meter.createObservableGauge(name, { description });
  const p99 = gauge("nodejs.eventloop.delay.p99.seconds", "How late the event loop was at the 99th percentile.");
  const most = gauge("nodejs.eventloop.delay.max.seconds", "How late it was at the most.");
  const utilization = gauge("nodejs.eventloop.utilization", "Part of the time in which it was busy, 0 to 1.");
  meter.addBatchObservableCallback(
    (result) => {
      const now = performance.eventLoopUtilization();
      result.observe(p99, delays.percentile(99) / 1e9);
      result.observe(most, delays.count === 0 ? 0 : delays.max / 1e9);
      result.observe(utilization, performance.eventLoopUtilization(now, since).utilization);
      since = now;
      delays.reset();
    },
    [p99, most, utilization],
  );
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
