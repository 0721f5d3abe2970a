/** What is known of an rpc of the service. */
export type MethodShape = {
  readonly name: string;
  readonly kind: MethodKind;
  /** It says of itself that it may be called twice. */
  readonly isIdempotent: boolean;
};

export type MethodKind = "unary" | "serverStreaming" | "clientStreaming";

/** One service that tasks may be pulled for; `methods` undefined: only its name is known. */
export type ExposedService = { readonly service: string; readonly methods: readonly MethodShape[] | undefined };

/** Infrastructure of gRPC itself, never offered. */
export function isInfrastructure(service: string): boolean {
  return service.startsWith("grpc.");
}

/**
 * Why a task must not be sent to the service; undefined when it may. Methods nobody told us of pass: the service itself answers
 * UNIMPLEMENTED when it has none, and what we were told may be old.
 */
export function refusalOf(
  offered: ExposedService | undefined,
  service: string,
  methodName: string,
  isStream: boolean,
): string | undefined {
  if (offered === undefined || offered.service !== service) return `${service} is not exposed by this sidecar`;
  const method = offered.methods?.find((one) => one.name === methodName);
  if (method === undefined) return undefined;
  switch (method.kind) {
    case "unary":
      return isStream ? `${service}/${methodName} returns one message here, the workflow expects a stream` : undefined;
    case "serverStreaming":
      return isStream ? undefined : `${service}/${methodName} returns a stream here, the workflow expects one message`;
    case "clientStreaming":
      return `${service}/${methodName} takes a stream of requests; a step sends one`;
  }
}

/**
 * Of what a service process offers, what is exposed: everything but gRPC's own, or, when `wanted` names some, those. Wanted ones that
 * the process does not tell of are exposed by name only when it tells nothing (`found` undefined).
 */
export function exposed(
  found: readonly ExposedService[] | undefined,
  wanted: readonly string[],
): readonly ExposedService[] {
  if (found === undefined) return wanted.map((service) => ({ service, methods: undefined }));
  const all = found.filter((one) => !isInfrastructure(one.service));
  return wanted.length === 0 ? all : all.filter((one) => wanted.includes(one.service));
}
