/** The projects that `sidestep init --example` writes. */
export const exampleNames = ["order", "approval", "schedule", "map", "stream"] as const;
export type ExampleName = (typeof exampleNames)[number];
