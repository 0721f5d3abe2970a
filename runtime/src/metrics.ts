import type { IncomingMessage, ServerResponse } from "node:http";
import { createHistogram, performance } from "node:perf_hooks";
import type { Attributes, Meter } from "@opentelemetry/api";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { errorText } from "./log.ts";
import { openMetricsText } from "./openMetricsText.ts";
import { openCounter, openHistogram } from "./tallies.ts";
import type { Counter, TracedHistogram, WrittenHistogram } from "./tallies.ts";

/** What measures are made of. */
export interface Instruments {
  readonly meter: Meter;
  /** "a.b" is scraped as a_b_total. */
  readonly counter: (name: string, description: string) => Counter;
  /** Boundaries rise, and are of the unit in the name. */
  readonly histogram: (name: string, description: string, boundaries: readonly number[]) => TracedHistogram;
}

/** The metrics of a process. Units stand in the names: the exporter adds only _total to counters. */
export interface Metrics extends Instruments, AsyncDisposable {
  /** Answers a scrape: in OpenMetrics with exemplars to who asks for it, else in Prometheus' text form. */
  readonly scrape: (request: IncomingMessage, response: ServerResponse) => void;
}

/** Opens them; nothing listens until `scrape` is put behind a server. */
export function openMetrics(resource: Attributes, version: string): Metrics {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ resource: resourceFromAttributes(resource), readers: [exporter] });
  const meter = provider.getMeter("sidestep", version);
  const watched = watchEventLoop(meter);
  const histograms: WrittenHistogram[] = [];
  const text = async (withExemplars: boolean): Promise<string> => {
    const others = new PrometheusSerializer().serialize((await exporter.collect()).resourceMetrics);
    return [others.trimEnd(), ...histograms.map((one) => one.text(withExemplars).trimEnd())]
      .filter((part) => part !== "")
      .join("\n");
  };
  return {
    meter,
    counter: (name, description) => openCounter(meter, name, description),
    histogram: (name, description, boundaries) => {
      const histogram = openHistogram(name.replaceAll(".", "_"), description, boundaries);
      histograms.push(histogram);
      return histogram;
    },
    scrape: (request, response) => {
      const isOpen = /application\/openmetrics-text/.test(request.headers.accept ?? "");
      text(isOpen).then(
        (plain) => {
          response.setHeader("content-type", isOpen ? openMetricsType : plainType);
          response.end(isOpen ? openMetricsText(plain) : `${plain}\n`);
        },
        (error: unknown) => {
          response.statusCode = 500;
          response.end(`the metrics can't be read: ${errorText(error)}\n`);
        },
      );
    },
    [Symbol.asyncDispose]: () => {
      watched[Symbol.dispose]();
      return provider.shutdown();
    },
  };
}

const plainType = "text/plain; version=0.0.4; charset=utf-8";
const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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
