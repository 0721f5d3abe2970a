import { configureGlobal } from "fast-check";

// Property tests try the same cases at each run of the gate, so that a failure is the change's own. SIDESTEP_SEED=<number> tries others.
const seedDefault = 20_261_121;

configureGlobal({ seed: Number(process.env["SIDESTEP_SEED"] ?? seedDefault) });
