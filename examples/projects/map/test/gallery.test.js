import { delayed, fails, loadContracts, openSandbox } from "@sidestep/testing";
import { expect, test } from "vitest";

const contracts = await loadContracts(".");
const workflow = "gallery.v1.GalleryWorkflow/Publish";
const shrink = "gallery.v1.ThumbnailService/Shrink";
const gallery = { gallery_id: "g-1", pictures: ["a.png", "b.png", "c.png", "d.png"] };

test("every picture is shrunk, and they come back in their order", async () => {
  /** @param {{ readonly picture: string }} request */
  const small = ({ picture }) => ({ thumbnail: `small-${picture}` });
  const box = openSandbox(contracts, { fakes: { [shrink]: small } });
  const run = await box.start(workflow, gallery).ended();
  expect(run.response).toEqual({ thumbnails: ["small-a.png", "small-b.png", "small-c.png", "small-d.png"] });
});

test("three are under way at a time", async () => {
  const box = openSandbox(contracts, { fakes: { [shrink]: delayed("10s", { thumbnail: "t" }) } });
  await box.start(workflow, gallery).ended();
  const begun = box.calls(shrink).map(({ at }) => at.getTime());
  expect(begun.filter((at) => at === begun[0])).toHaveLength(3);
});

test("one that is no picture fails the gallery", async () => {
  const box = openSandbox(contracts, { fakes: { [shrink]: fails("INVALID_ARGUMENT", "no picture") } });
  const run = await box.start(workflow, gallery).ended();
  expect(run.status).toMatchObject({ code: "INVALID_ARGUMENT" });
});
