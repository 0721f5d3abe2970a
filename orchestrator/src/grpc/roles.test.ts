import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Metadata } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { imageBase64 } from "../../../proto/gen/image.ts";
import { roles } from "../../../runtime/src/tokenFile.ts";
import { newAdmit, refusalOf } from "./access.ts";
import { isAudited, ratedMethods } from "./roles.ts";

/** What each role may call, besides what is open. */
const may = {
  caller: [
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "sidestep.v1.Definitions/Get",
    "sidestep.v1.Definitions/List",
    "sidestep.v1.Runs/Call",
    "sidestep.v1.Runs/Decide",
    "sidestep.v1.Runs/Follow",
    "sidestep.v1.Runs/ListApprovals",
    "sidestep.v1.Runs/Signal",
    "sidestep.v1.Runs/Start",
    "sidestep.v1.Runs/Wait",
    "shop.v1.OrderWorkflow/Fulfil",
  ],
  viewer:
    /Reflection|Traces\/(Get|List)$|Definitions\/(Get|List|Describe|Plan)|Services\/List|Schedules\/(List|Describe)|Triggers\/(List$|Describe)|Runs\/(Wait|Follow|Watch|Explain|ExplainRuns|WatchIndex|DescribeStep|PreviewBulk|PreviewMigration|GetBulk|ListBulks|ListApprovals|Get|List|Count|ListIncidents|GetIndex|History|Trace|ListHolds|ListLimits)$/,
  operator: /^(?!.*(Deploy|RebuildIndex|Runs\/(Delete|Export|Import)))/,
  deployer: /^(?!.*(RebuildIndex|Runs\/(Delete|Export|Import)))/,
  admin: /./,
} as const;

const own = fromBinary(FileDescriptorSetSchema, Buffer.from(imageBase64, "base64"))
  .file.flatMap((file) =>
    file.service.flatMap((service) => service.method.map((one) => `${file.package}.${service.name}/${one.name}`)),
  )
  .filter((method) => /^(sidestep\.v1|grpc)\./.test(method));
const methods = [...own, "shop.v1.OrderWorkflow/Fulfil"];

test("every method of ours has been thought about", () => {
  const rated = ratedMethods.filter((method) => !method.includes("v1alpha"));
  expect([...rated].toSorted()).toEqual([...own].toSorted());
});

const admit = newAdmit((token) => {
  const role = roles.find((one) => one === token);
  return role === undefined ? undefined : { name: `the ${role}`, role };
});

function calling(token: string | undefined, headers: Readonly<Record<string, string>> = {}) {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  return { metadata, getAuthContext: () => ({}) };
}

test.each(methods.flatMap((method) => roles.map((role) => [role, method] as const)))("%s: %s", (role, method) => {
  const allowed = may[role];
  const isOpen = method.startsWith("grpc.health.");
  const isAllowed = isOpen || ("test" in allowed ? allowed.test(method) : allowed.some((one) => one === method));
  const refusal = admit(`/${method}`, calling(role));
  expect(refusal?.reason).toBe(isAllowed ? undefined : "ROLE_TOO_LOW");
});

test.each(methods)("without a token, or with one of somebody else: %s", (method) => {
  const isOpen = method.startsWith("grpc.health.");
  expect(admit(`/${method}`, calling(undefined))?.reason).toBe(isOpen ? undefined : "NO_TOKEN");
  expect(admit(`/${method}`, calling("boss"))?.reason).toBe(isOpen ? undefined : "UNKNOWN_TOKEN");
});

test("what a method may do for some only is refused to others; without tokens all may", () => {
  const call = calling("operator");
  expect(admit("/sidestep.v1.Runs/StartBulk", call)).toBeUndefined();
  expect(refusalOf("sidestep.v1.Runs/Delete", call.metadata)).toMatchObject({ reason: "ROLE_TOO_LOW" });
  expect(refusalOf("sidestep.v1.Runs/Cancel", call.metadata)).toBeUndefined();
  const boss = calling("admin");
  expect(admit("/sidestep.v1.Runs/StartBulk", boss)).toBeUndefined();
  expect(refusalOf("sidestep.v1.Runs/Delete", boss.metadata)).toBeUndefined();
  expect(refusalOf("sidestep.v1.Runs/Delete", new Metadata())).toBeUndefined();
});

test("who calls is the token's holder, whatever a call says of itself", () => {
  const call = calling("operator", { "sidestep-actor": "somebody", "sidestep-role": "admin" });
  expect(admit("/sidestep.v1.Runs/Cancel", call)).toBeUndefined();
  expect(call.metadata.getMap()).toMatchObject({ "sidestep-actor": "the operator", "sidestep-role": "operator" });
});

test("a token lets in and goes no further: no workflow can carry it on", () => {
  const call = calling("operator");
  expect(admit("/shop.v1.OrderWorkflow/Fulfil", call)).toBeUndefined();
  expect(call.metadata.get("authorization")).toEqual([]);
});

test("a certificate that names nobody does not let the call name itself", () => {
  const metadata = new Metadata();
  metadata.set("sidestep-actor", "somebody");
  const call = { metadata, getAuthContext: () => ({ sslPeerCertificate: { subject: {} } as never }) };
  expect(newAdmit(undefined)("/sidestep.v1.Definitions/Deploy", call)).toBeUndefined();
  expect(metadata.getMap()).toEqual({});
});

test("where no token is asked for, it is the certificate's subject", () => {
  const metadata = new Metadata();
  metadata.set("sidestep-role", "admin");
  const subject = { CN: "ci" };
  const call = { metadata, getAuthContext: () => ({ sslPeerCertificate: { subject } as never }) };
  expect(newAdmit(undefined)("/sidestep.v1.Definitions/Deploy", call)).toBeUndefined();
  expect(metadata.getMap()).toEqual({ "sidestep-actor": "ci" });
});

test("all that changes something leaves an entry in the audit, but what starts and signals runs", () => {
  const looks =
    /\/(Get|List|Describe|Explain|Watch|History|Trace|Preview|Count|Wait|Follow|Check|Plan|ServerReflection)/;
  const changes = own.filter((method) => !looks.test(method));
  expect(changes.filter((method) => !isAudited(method))).toEqual([
    "sidestep.v1.Runs/Start",
    "sidestep.v1.Runs/Signal",
    "sidestep.v1.Runs/Call",
  ]);
  expect(own.filter((method) => looks.test(method) && isAudited(method))).toEqual([]);
});
