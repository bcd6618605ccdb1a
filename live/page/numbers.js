// Numbers of the track record as people read them, in one place. JSON has them as numbers; null is
// one that cannot be said, as an interval of a single day.

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const ONE_DIGIT = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const SIGNED = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: 'exceptZero' });
const PLAIN = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
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
  const time = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(time)) return '';
  return new Intl.DateTimeFormat(undefined, { timeZone: 'UTC', day: 'numeric', month: 'short' }).format(time);
}
