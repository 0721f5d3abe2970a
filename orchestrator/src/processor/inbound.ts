/** What adapters need of the engine to refuse, before anything is written, what a run could not take. */
export { callTypesAt } from "../engine/callSignature.ts";
export { evaluateInboundKey, evaluateStart } from "../engine/key.ts";
export { misfitOf } from "../engine/request.ts";
export { planRevision, retryNowRevision } from "../engine/revision.ts";
export { openLanes } from "./lanes.ts";
export type { Lanes } from "./lanes.ts";
export { keyBytesMax } from "./prepareStart.ts";
