// Writes the contracts as they are now to proto/baseline.binpb. From then on `buf breaking` holds every change against them:
// done at a release, never to silence a finding.
import { execFileSync } from "node:child_process";

execFileSync("buf", ["build", "proto", "--exclude-source-info", "--output", "proto/baseline.binpb"], {
  stdio: "inherit",
});
