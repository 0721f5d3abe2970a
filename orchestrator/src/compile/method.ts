import type { DescMethod } from "@bufbuild/protobuf";
import { didYouMean } from "./closest.ts";
import type { Context } from "./context.ts";
import { hasExtension, queryOption, signalOption, workflowOption } from "./option.ts";
import type { Place } from "./place.ts";

/** The rpc that a call names at `place`; undefined, and a finding, when a step can't call it. */
export function resolveMethod(context: Context, name: string, place: Place): DescMethod | undefined {
  const method = findMethod(context, name, place);
  if (method === undefined) return undefined;
  const { findings } = context;
  const { options } = method.proto;
  if (hasExtension(options, workflowOption.number)) {
    const hint = `run it: \`run { method: "${name}" … }\``;
    findings.add("NOT_CALLABLE", place, `'${name}' is a workflow, no service answers it`, hint);
    return undefined;
  }
  if (hasExtension(options, signalOption.number) || hasExtension(options, queryOption.number)) {
    const hint = "only clients call it; let the run and this one talk by a service";
    findings.add("NOT_CALLABLE", place, `'${name}' is a signal or query of a workflow, no service answers it`, hint);
    return undefined;
  }
  switch (method.methodKind) {
    case "unary":
    case "server_streaming":
      context.methods.set(name, method);
      return method;
    case "client_streaming":
    case "bidi_streaming":
      findings.add("NOT_CALLABLE", place, `'${name}' takes a stream of requests; a step sends one`, "call a unary rpc");
      return undefined;
  }
}

/** The workflow that a `run` names at `place`; undefined, and a finding, when it can't be run as a child. */
export function resolveWorkflow(context: Context, name: string, place: Place): DescMethod | undefined {
  const method = findMethod(context, name, place);
  if (method === undefined) return undefined;
  const { findings } = context;
  if (!hasExtension(method.proto.options, workflowOption.number)) {
    const hint = `call it: \`call { method: "${name}" … }\``;
    findings.add("NOT_CALLABLE", place, `'${name}' is not a workflow`, hint);
    return undefined;
  }
  if (method.methodKind !== "unary") {
    const hint = "run one that returns a single message";
    findings.add("NOT_CALLABLE", place, `'${name}' returns a stream, which nobody would read`, hint);
    return undefined;
  }
  context.children.set(name, method);
  return method;
}

function findMethod(context: Context, name: string, place: Place): DescMethod | undefined {
  const { findings, registry } = context;
  const form = 'write it like "shop.v1.OrderService/GetOrder"';
  if (name === "") {
    findings.add("MISSING", place, "no method is named", form);
    return undefined;
  }
  const [serviceName = "", methodName = "", ...rest] = name.split("/");
  if (serviceName === "" || methodName === "" || rest.length > 0) {
    findings.add("METHOD_NAME", place, `'${name}' is not the name of a method`, hintForName(name) ?? form);
    return undefined;
  }
  const service = registry.getService(serviceName);
  if (service === undefined) {
    const known = [...registry].filter((found) => found.kind === "service").map((found) => found.typeName);
    const hint = didYouMean(serviceName, known) || ofSameName(serviceName, known);
    findings.add(
      "UNKNOWN_SERVICE",
      place,
      `unknown service '${serviceName}'`,
      hint || "its .proto must be part of the image",
    );
    return undefined;
  }
  const method = service.methods.find((found) => found.name === methodName);
  if (method !== undefined) return method;
  const names = service.methods.map((found) => found.name);
  const guess = didYouMean(methodName, names);
  const list = names.length === 0 ? "it has none" : `its methods: ${names.toSorted().join(", ")}`;
  findings.add(
    "UNKNOWN_METHOD",
    place,
    `service ${serviceName} has no method '${methodName}'`,
    guess === "" ? list : `${guess} (${list})`,
    serviceName.length + 1,
  );
  return undefined;
}

/** "/a.B/C" and "a.B.C" are other tools' spellings of the same thing. */
function hintForName(name: string): string | undefined {
  const bare = name.replace(/^\/+/, "");
  if (/^[\w.]+\/\w+$/.test(bare)) return `write "${bare}"`;
  const dotted = /^([\w.]+\.\w+)\.(\w+)$/.exec(name);
  return dotted === null ? undefined : `write "${dotted[1] ?? ""}/${dotted[2] ?? ""}"`;
}

/** The service was named without its package. */
function ofSameName(name: string, known: readonly string[]): string {
  const last = name.slice(name.lastIndexOf(".") + 1);
  const found = known.find((candidate) => candidate.slice(candidate.lastIndexOf(".") + 1) === last);
  return found === undefined ? "" : `did you mean '${found}'?`;
}
