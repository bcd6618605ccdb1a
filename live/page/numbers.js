// Numbers of the track record as people read them, in one place. JSON has them as numbers; null is
// one that cannot be said, as an interval of a single day.

import { number, time } from './format.js';

const formatted = (options) => ({ format: (value) => number(value, options) });
const WHOLE = formatted({ maximumFractionDigits: 0 });
const ONE_DIGIT = formatted({ minimumFractionDigits: 1, maximumFractionDigits: 1 });
const SIGNED = formatted({ minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: 'exceptZero' });
const PLAIN = formatted({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
const NONE = '-';

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
const by = (format) => (value) => (isNumber(value) ? format.format(value) : NONE);

/** "1,238". */
export const count = by(WHOLE);

/** "0.75". */
export const ratio = by(PLAIN);

/** "45.4 %" of a share in percent. */
export const share = (value) => (isNumber(value) ? `${ONE_DIGIT.format(value)} %` : NONE);

/** "-0.20 %" of a return. */
export const gain = (value) => (isNumber(value) ? `${SIGNED.format(value)} %` : NONE);

/** "44.1 to 46.7 %". */
export const shareRange = (low, high) => range(low, high, ONE_DIGIT);

/** "-0.24 to -0.17 %". */
export const gainRange = (low, high) => range(low, high, SIGNED);

function range(low, high, format) {
  return isNumber(low) && isNumber(high) ? `${format.format(low)} to ${format.format(high)} %` : NONE;
}

/** "22 Nov" of a UTC day, in the form of this browser's language. */
export function dayText(day) {
  const then = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(then)) return '';
  return time(then, { timeZone: 'UTC', day: 'numeric', month: 'short' });
}
