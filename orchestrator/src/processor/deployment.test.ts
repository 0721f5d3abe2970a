import { expect, test } from "vitest";
import type { DefinitionIndex } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { DeployedWorkflow_Change as Change } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { deployInto } from "./deployment.ts";
import type { Candidate } from "./deployment.ts";

const empty: DefinitionIndex = { workflow: [] };

function makeCandidate(workflow: string, content: number, contract = 1): Candidate {
  const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
  return {
    workflow,
    requestType: "a.Request",
    responseType: "a.Response",
    methods: ["b.B/C"],
    attributes: ["customer"],
    signalMethods: [],
    queryMethods: [],
    streaming: false,
    triggers: [],
    contentHash: hash(content),
    planHash: hash(content + 100),
    contractHash: hash(contract),
  };
}

function deploy(before: DefinitionIndex, candidates: readonly Candidate[], services = ["a.A"]) {
  const { index, workflows } = deployInto(before, candidates, services, 7);
  return { index, told: workflows.map(({ workflow, version, change }) => [workflow, version, change]) };
}

test("versions count 1, 2, 3 per workflow, and known content becomes active again", () => {
  const first = deploy(empty, [makeCandidate("a.A/X", 1), makeCandidate("a.A/Y", 1)]);
  expect(first.told).toEqual([
    ["a.A/X", 1, Change.ADDED],
    ["a.A/Y", 1, Change.ADDED],
  ]);
  const second = deploy(first.index, [makeCandidate("a.A/X", 2), makeCandidate("a.A/Y", 1)]);
  expect(second.told).toEqual([
    ["a.A/X", 2, Change.UPDATED],
    ["a.A/Y", 1, Change.UNCHANGED],
  ]);
  const back = deploy(second.index, [makeCandidate("a.A/X", 1), makeCandidate("a.A/Y", 1)]);
  expect(back.told[0]).toEqual(["a.A/X", 1, Change.REACTIVATED]);
  const third = deploy(back.index, [makeCandidate("a.A/X", 3), makeCandidate("a.A/Y", 1)]);
  expect(third.told[0]).toEqual(["a.A/X", 3, Change.UPDATED]);
  expect(third.index.workflow.map(({ activeVersion, version }) => [activeVersion, version.length])).toEqual([
    [3, 3],
    [1, 1],
  ]);
});

test("the same content again leaves the very same index", () => {
  const { index } = deploy(empty, [makeCandidate("a.A/X", 1)]);
  expect(deploy(index, [makeCandidate("a.A/X", 1)]).index).toBe(index);
});

test("a workflow gone from a service of the image is retired; services outside the image are untouched", () => {
  const { index } = deploy(empty, [makeCandidate("a.A/X", 1), makeCandidate("b.B/Y", 1)], ["a.A", "b.B"]);
  const without = deploy(index, [], ["a.A"]);
  expect(without.told).toEqual([["a.A/X", 1, Change.RETIRED]]);
  expect(without.index.workflow.map(({ activeVersion }) => activeVersion)).toEqual([0, 1]);
  expect(deploy(without.index, [], ["a.A"]).told).toEqual([]);
  expect(deploy(without.index, [makeCandidate("a.A/X", 1)], ["a.A"]).told).toEqual([["a.A/X", 1, Change.REACTIVATED]]);
});

test("another contract around the same content is shown, and makes no version", () => {
  const { index } = deploy(empty, [makeCandidate("a.A/X", 1, 1)]);
  const again = deploy(index, [makeCandidate("a.A/X", 1, 2)]);
  expect(again.told).toEqual([["a.A/X", 1, Change.UNCHANGED]]);
  expect(again.index.workflow[0]?.contractHash[0]).toBe(2);
  expect(again.index.workflow[0]?.version).toHaveLength(1);
});
