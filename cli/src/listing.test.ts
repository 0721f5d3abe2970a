import { expect, test } from "vitest";
import { HeldTarget, ListHoldsResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { listForms } from "./listForm.ts";
import { printList, printShown, timeColumn } from "./listing.ts";
import type { Listing } from "./listing.ts";
import type { Terminal } from "./terminal.ts";

const nowMs = Date.UTC(2026, 10, 29, 12);
const held = [
  HeldTarget.fromPartial({
    target: { kind: { $case: "service", value: "shop.v1.Stock" } },
    reason: "no: it counts",
    actor: "ann",
    since: { seconds: BigInt(nowMs / 1000 - 320), nanos: 0 },
  }),
  HeldTarget.fromPartial({ target: { kind: { $case: "method", value: "shop.v1.Till/Charge" } } }),
];

function makeTerminal() {
  const written = { out: "", err: "" };
  const terminal: Terminal = {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    input: () => Promise.resolve(new Uint8Array()),
    atInterrupt: () => () => undefined,
    now: () => nowMs,
    environment: {},
    colors: { out: false, err: false },
  };
  return { written, terminal };
}

function listOf(items: readonly HeldTarget[]): Listing<HeldTarget> {
  return {
    type: "sidestep.v1.ListHoldsResponse",
    bytes: ListHoldsResponse.encode({ held: [...items] }).finish(),
    field: "held",
    items,
    name: ({ target }) => target?.kind?.value ?? "",
    empty: "nothing is held",
    columns: [
      { heading: "NAME", cell: ({ target }) => target?.kind?.value ?? "" },
      ...timeColumn<HeldTarget>("SINCE", ({ since }) => since),
      { heading: "BY", cell: ({ actor }) => actor, only: "wide" },
      { heading: "REASON", cell: ({ reason }) => reason },
    ],
  };
}

test("a list is printed in each of its forms", () => {
  const printed = listForms.map((form) => {
    const { written, terminal } = makeTerminal();
    printList(form, listOf(held), terminal);
    expect(written.err).toBe("");
    return `${form}\n${written.out}`;
  });
  expect(printed.join("\n")).toMatchInlineSnapshot(`
    "table
    NAME                 SINCE         REASON
    shop.v1.Stock        5 m 20 s ago  no: it counts
    shop.v1.Till/Charge

    wide
    NAME                 SINCE                     BY   REASON
    shop.v1.Stock        2026-11-29T11:54:40.000Z  ann  no: it counts
    shop.v1.Till/Charge

    json
    {
      "held": [
        {
          "target": {
            "service": "shop.v1.Stock"
          },
          "reason": "no: it counts",
          "actor": "ann",
          "since": "2026-11-29T11:54:40Z"
        },
        {
          "target": {
            "method": "shop.v1.Till/Charge"
          }
        }
      ]
    }

    jsonl
    {"target":{"service":"shop.v1.Stock"},"reason":"no: it counts","actor":"ann","since":"2026-11-29T11:54:40Z"}
    {"target":{"method":"shop.v1.Till/Charge"}}

    yaml
    - target:
        service: shop.v1.Stock
      reason: "no: it counts"
      actor: ann
      since: "2026-11-29T11:54:40Z"
    - target:
        method: shop.v1.Till/Charge

    name
    shop.v1.Stock
    shop.v1.Till/Charge
    "
  `);
});

test("of an empty list people are told why, and programs get an empty one", () => {
  const printed = listForms.map((form) => {
    const { written, terminal } = makeTerminal();
    printList(form, listOf([]), terminal);
    return [form, written];
  });
  expect(Object.fromEntries(printed)).toEqual({
    table: { out: "", err: "nothing is held\n" },
    wide: { out: "", err: "nothing is held\n" },
    json: { out: "{}\n", err: "" },
    jsonl: { out: "", err: "" },
    yaml: { out: "[]\n", err: "" },
    name: { out: "", err: "" },
  });
});

test("one thing is text for people, and its message for programs", async () => {
  const { written, terminal } = makeTerminal();
  const answer = { type: "sidestep.v1.HeldTarget", bytes: HeldTarget.encode(held[1] ?? HeldTarget.create()).finish() };
  for (const form of ["table", "json", "yaml"] as const) await printShown(form, answer, () => "held\n", terminal);
  expect(written.out).toBe(`held
{
  "target": {
    "method": "shop.v1.Till/Charge"
  }
}
target:
  method: shop.v1.Till/Charge
`);
});
