import { expect, test } from "vitest";
import { yamlText } from "./yaml.ts";

test("values are YAML in block style, and what could be read as something else is quoted", () => {
  const value = [
    {
      service: "shop.v1.Orders",
      waiting: "12",
      methods: [{ method: "shop.v1.Orders/Place", workflows: [] }],
      held: {},
    },
    { service: "no", at: "2026-01-31T00:00:00Z", text: "a: b\n- c", isServed: true, lag: 1.5 },
  ];
  expect(yamlText(value)).toBe(`- service: shop.v1.Orders
  waiting: "12"
  methods:
    - method: shop.v1.Orders/Place
      workflows: []
  held: {}
- service: "no"
  at: "2026-01-31T00:00:00Z"
  text: "a: b\\n- c"
  isServed: true
  lag: 1.5
`);
  expect(yamlText([])).toBe("[]\n");
});
