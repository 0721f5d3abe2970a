/** Rows that are read around a place. */
export const farPage = 400;
/** Rows before the view that are read with it, in case one goes back. */
const before = 150;
/** Rows around the view that are to be there. */
const around = 50;
/** Places are rounded, so that what was just read is asked for no second time. */
const stride = 50;

/**
 * From which row on a list has to be read at the place that is in view; undefined: what is loaded from the beginning on is there, or soon will be.
 * The place of before stays for as long as it has what is in view.
 */
export function farPlace(
  view: { readonly first: number; readonly last: number },
  { loaded, soon, total }: { readonly loaded: number; readonly soon: number; readonly total: number },
  place: number | undefined,
): number | undefined {
  if (view.last <= loaded || view.first <= loaded + soon) return undefined;
  const [first, last] = [Math.max(loaded, view.first - around), Math.min(total, view.last + around)];
  if (place !== undefined && place <= first && last <= place + farPage) return place;
  return Math.max(0, Math.floor((view.first - before) / stride) * stride);
}
