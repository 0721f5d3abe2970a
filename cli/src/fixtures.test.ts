import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, expect, test } from "vitest";
import { toRegistry } from "../../proto/json/registry.ts";
import { buildImage } from "./buildImage.ts";
import { openFixtures } from "./fixturePick.ts";
import { parseFixtures } from "./fixtures.ts";

let registry: Registry;

beforeAll(async () => {
  const built = await buildImage("examples/order/proto");
  if (built.kind !== "built") throw new Error("the example can't be built");
  registry = toRegistry(fromBinary(FileDescriptorSetSchema, built.image).file);
});

function wrong(source: string): readonly string[] {
  const parsed = parseFixtures(source, "fixtures.yaml", registry);
  if (parsed.kind !== "wrong") return [];
  return parsed.diagnostics.map(
    ({ file, line, column, message, hint }) => `${file}:${line}:${column} ${message} | ${hint}`,
  );
}

function charge(json: { readonly [name: string]: string }): Uint8Array {
  const type = registry.getMessage("payment.v1.ChargeRequest");
  if (type === undefined) throw new Error("no such type");
  return toBinary(type, fromJson(type, json));
}

test("fixtures are taken in turn, each for so many calls, and for the requests that it names", () => {
  const source = `
payment.v1.PaymentService/Charge:
  - status: {code: UNAVAILABLE, message: away}
    times: 2
  - match: {orderId: o-7}
    answer: {charge_id: c-7}
  - answer: {charge_id: c-1, riskScore: 0.5}
    delay: 300ms
inventory.v1.InventoryService/Reserve: {lost: true}
`;
  const parsed = parseFixtures(source, "fixtures.yaml", registry);
  if (parsed.kind !== "fixtures") throw new Error(JSON.stringify(parsed.diagnostics));
  const pick = openFixtures(parsed.fixtures, registry);
  const [input, output] = ["payment.v1.ChargeRequest", "payment.v1.ChargeResponse"].map((name) =>
    registry.getMessage(name),
  );
  if (input === undefined || output === undefined) throw new Error("no such types");
  const answers = ["o-1", "o-1", "o-1", "o-7"].map((id) => {
    const fixture = pick("payment.v1.PaymentService/Charge", input, charge({ order_id: id }));
    if (fixture?.end.kind !== "answered") return fixture?.end;
    return {
      delayMs: fixture.delayMs,
      answers: fixture.end.messages.map((it) => toJson(output, fromBinary(output, it))),
    };
  });
  const away = { kind: "failed", code: 14, message: "away", details: new Uint8Array() };
  expect(answers).toEqual([
    away,
    away,
    { delayMs: 300, answers: [{ chargeId: "c-1", riskScore: 0.5 }] },
    { delayMs: 0, answers: [{ chargeId: "c-7" }] },
  ]);
  expect(pick("inventory.v1.InventoryService/Reserve", input, charge({}))?.end).toEqual({ kind: "lost" });
  expect(pick("inventory.v1.InventoryService/Release", input, charge({}))).toBeUndefined();
});

test("what does not fit its message is told at its place, with what would fit", () => {
  expect(
    wrong(`payment.v1.PaymentService/Charge:
  - answer: {charge: c-1}
  - answer:
      risk_score: much
  - answer: c-1
payment.v1.PaymentService/FindCharge:
  answer: {charge: {charge_id: 7}}
payment.v1.PaymentService/Chargge: {}
`),
  ).toEqual([
    "fixtures.yaml:2:14 payment.v1.ChargeResponse has no field 'charge' | its fields are charge_id, review_required, risk_score",
    'fixtures.yaml:4:19 payment.v1.ChargeResponse.risk_score: expected number (float64), got "much" | ',
    "fixtures.yaml:5:13 expected a payment.v1.ChargeResponse, found a text | its fields are charge_id, review_required, risk_score",
    "fixtures.yaml:7:32 payment.v1.ChargeResponse.charge_id: expected string, got 7 | ",
    "fixtures.yaml:8:1 unknown method 'payment.v1.PaymentService/Chargge' | did you mean 'payment.v1.PaymentService/Charge'?",
  ]);
});

test("what says nothing, too much or something unknown is told", () => {
  expect(
    wrong(`payment.v1.PaymentService/Charge:
  - answer: {}
    lost: true
  - {}
  - answers: [{}]
  - status: UNAVAILABEL
  - status: {code: ABORTED, detail: x}
  - {answer: {}, times: 0, delay: soon, tims: {}}
  - status: {code: ABORTED, details: [{"@type": type.googleapis.com/no.Such}]}
  - match: {order: o}
    lost: true
`).map((line) => line.replace(/^fixtures\.yaml:/, "")),
  ).toEqual([
    expect.stringMatching(/^2:5 expected one of answer, answers, status and lost, found answer and lost/),
    expect.stringMatching(/^4:5 expected one of answer, answers, status and lost, found none of them/),
    "5:14 Charge returns no stream | give its one answer: answer: {…}",
    "6:13 expected the name of a status code, found 'UNAVAILABEL' | did you mean 'UNAVAILABLE'?",
    "7:29 unknown key 'detail' | known: code, message, details",
    "8:41 unknown key 'tims' | did you mean 'times'?",
    "8:25 expected how many calls it answers | a whole number from 1",
    "8:35 expected a duration | as in 300ms, 2s or 5m",
    expect.stringMatching(/^9:39 it is no google.protobuf.Any: .*no\.Such/),
    expect.stringMatching(/^10:13 payment.v1.ChargeRequest has no field 'order'/),
  ]);
  expect(wrong("- a")).toEqual([expect.stringMatching(/^fixtures\.yaml:1:1 expected a map of methods, found a list/)]);
  expect(wrong("a: [")).toEqual([expect.stringMatching(/^fixtures\.yaml:\d+:\d+ /)]);
});

test("details of a status are messages of known types", () => {
  const source = `
payment.v1.PaymentService/Charge:
  status:
    code: RESOURCE_EXHAUSTED
    details:
      - {"@type": type.googleapis.com/google.rpc.RetryInfo, retryDelay: 5s}
`;
  const parsed = parseFixtures(source, "fixtures.yaml", registry);
  if (parsed.kind !== "fixtures") throw new Error(JSON.stringify(parsed.diagnostics));
  const end = parsed.fixtures.get("payment.v1.PaymentService/Charge")?.[0]?.end;
  const status = registry.getMessage("google.rpc.Status");
  if (end?.kind !== "failed" || status === undefined) throw new Error("no status");
  expect(toJson(status, fromBinary(status, end.details), { registry })).toEqual({
    code: 8,
    details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "5s" }],
  });
});
