import { ROOT_CONTEXT, SpanKind, TraceFlags, trace } from "@opentelemetry/api";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import type { Sampler } from "@opentelemetry/sdk-trace";
import type { TraceContext } from "../projection/traceContext.ts";
import type { TraceSettings } from "./traceSettings.ts";

/** Says whether a run is shown in its trace; the SDK's own samplers, so that the same trace id is decided alike everywhere. */
export function toSampler(
  settings: Pick<TraceSettings, "sampler" | "samplerArg" | "otelDisabled">,
): (traceId: string, parent: TraceContext | undefined) => boolean {
  if (settings.otelDisabled) return () => false;
  const sampler = samplerOf(settings);
  return (traceId, parent) => {
    const context =
      parent === undefined
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, {
            traceId: parent.traceId,
            spanId: parent.spanId,
            traceFlags: parent.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
            isRemote: true,
          });
    const { decision } = sampler.shouldSample(context, traceId, "run", SpanKind.SERVER, {}, []);
    return decision === SamplingDecision.RECORD_AND_SAMPLED;
  };
}

function samplerOf({ sampler, samplerArg }: Pick<TraceSettings, "sampler" | "samplerArg">): Sampler {
  switch (sampler) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(samplerArg);
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(samplerArg) });
  }
}
