/**
 * Revision of the engine's decisions. A run follows the revision that its RunStarted pins, for life; an engine that decides differently
 * has a higher one and keeps the older ones for the runs that pin them.
 */
export const engineRevision = 1;
