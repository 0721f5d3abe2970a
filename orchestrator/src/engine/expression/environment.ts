import { celEnv } from "@bufbuild/cel";
import type { CelEnv } from "@bufbuild/cel";
import type { Registry } from "@bufbuild/protobuf";
import { calendarFunctions } from "./calendar.ts";
import { textFunctions } from "./format.ts";
import { rewrittenFunctions, standardFunctions } from "./functions.ts";
import type { Meter } from "./meter.ts";
import { verifyText } from "./verifyText.ts";
import { weighedFunctions } from "./weigh.ts";
import { withWellKnown } from "./wellKnown.ts";

/** What all expressions over one registry share. */
export interface Environment {
  readonly cel: CelEnv;
  readonly registry: Registry;
  readonly meter: Meter;
}

const environments = new WeakMap<Registry, Environment>();

/** The environment of a registry; made once. */
export function toEnvironment(registry: Registry): Environment {
  const known = environments.get(registry);
  if (known !== undefined) return known;
  const meter: Meter = { stepsLeft: 0, builders: [] };
  const own = [...textFunctions, ...standardFunctions, ...calendarFunctions];
  const weighed = weighedFunctions(celEnv({ funcs: own }).funcs, meter);
  const complete = withWellKnown(registry);
  verifyText(complete);
  const cel = celEnv({ registry: complete, funcs: [...own, ...weighed, ...rewrittenFunctions(meter, complete)] });
  const environment: Environment = { cel, registry: complete, meter };
  environments.set(registry, environment);
  return environment;
}
