// Which rows of a long list are built: those in view and some on both sides. All rows are equally high,
// except for one that may be open.

/** Rows beyond the view on either side: a quick scroll stays within them for some frames. */
const SPARE = 32;
/** The ends of the window lie on multiples of this, so that most frames of a scroll change nothing. */
const STEP = 4;

/**
 * @typedef {object} Place
 * @property {number} top how far the view is below the beginning of the list, in pixels; may be negative
 * @property {number} height of the view
 * @property {number} row height of a row
 * @property {number} [open] index of the row that is higher; -1 when there is none
 * @property {number} [extra] how much higher it is
 */

/** How far a row is below the beginning of the list. @param {Place} place */
export function offsetOf(index, { row, open = -1, extra = 0 }) {
  return index * row + (open >= 0 && index > open ? extra : 0);
}

/** The row at a height. @param {Place} place */
function indexAt(y, place) {
  const { row, open = -1, extra = 0 } = place;
  if (open < 0 || y < offsetOf(open, place) + row) return Math.floor(y / row);
  return Math.max(open, Math.floor((y - extra) / row));
}

/**
 * The rows to build, and the heights of what stands for the others.
 * @param {Place} place
 * @returns {{from: number, to: number, before: number, after: number}} `to` is the first row after them
 */
export function windowOf(total, place) {
  const first = indexAt(place.top, place) - SPARE;
  const last = indexAt(place.top + place.height, place) + 1 + SPARE;
  const within = (index) => Math.min(total, Math.max(0, index));
  const from = within(Math.floor(first / STEP) * STEP);
  const to = Math.max(from, within(Math.ceil(last / STEP) * STEP));
  return { from, to, before: offsetOf(from, place), after: offsetOf(total, place) - offsetOf(to, place) };
}
