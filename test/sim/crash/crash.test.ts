import { expect, test } from "vitest";
import { killAtEachPoint } from "./crashPoints.ts";
import { references } from "./definitions.ts";

test.each(references)(
  "$name: a death of the owner or of the sidecar at any durable boundary changes nothing of the end",
  { timeout: 900_000 },
  async (reference) => {
    const owner = await killAtEachPoint(reference, "orchestrator");
    const sidecar = await killAtEachPoint(reference, "sidecar");
    expect([...owner.broken, ...sidecar.broken]).toEqual([]);
    expect(owner.points).toBeGreaterThan(10);
    expect(sidecar.points).toBeGreaterThan(2);
  },
);
