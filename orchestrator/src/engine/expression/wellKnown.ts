import { createRegistry } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import {
  AnySchema,
  DurationSchema,
  TimestampSchema,
  file_google_protobuf_struct,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";

const wellKnown = createRegistry(
  AnySchema,
  DurationSchema,
  TimestampSchema,
  file_google_protobuf_struct,
  file_google_protobuf_wrappers,
);

const completed = new WeakMap<Registry, Registry>();

/** The registry with the well-known types that expressions use even where the image has none of them; its own types win. */
export function withWellKnown(registry: Registry): Registry {
  const known = completed.get(registry);
  if (known !== undefined) return known;
  const complete = createRegistry(wellKnown, registry);
  completed.set(registry, complete);
  completed.set(complete, complete);
  return complete;
}
