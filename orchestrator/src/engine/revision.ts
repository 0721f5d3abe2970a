/**
 * Revision of the engine's decisions. A run follows the revision that its RunStarted pins, for life; an engine that decides differently
 * has a higher one and keeps the older ones for the runs that pin them. One that is older leaves the partition of such a run alone.
 *
 * 2: the next attempt of a step that backs off can be asked for (RetryRequested.backoff); a run may begin with what another came to
 * (RunStarted.rerun); workflows say how long their runs are kept (RunEnded.retention_ms). Runs of revision 1 are not asked for the first; the others
 * are written into starts and ends, so a run that has them pins 2.
 */
export const engineRevision = 2;

/** The first whose runs read RunStarted.rerun as what it is. */
export const rerunRevision = 2;

/** The first whose runs can be asked for the next attempt of a step that backs off. */
export const retryNowRevision = 2;

/** Form of plans. A higher one makes another version of each workflow at its next deploy. */
export const planRevision = 1;
