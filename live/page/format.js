// Numbers and times in the reader's form: language and time zone as the settings say, else the browser's.
// Prices keep exactly the digits that came; only the signs between them change.

let locale;
let timeZone;
let glyphs = null;
let made = new Map();

/** @param {{locale: string, timeZone: string}} chosen empty for the browser's own */
export function setFormat(chosen) {
  locale = usable(chosen.locale, (value) => new Intl.NumberFormat(value));
  timeZone = usable(chosen.timeZone, (value) => new Intl.DateTimeFormat('en', { timeZone: value }));
  glyphs = null;
  made = new Map();
}

/** A number as text with the reader's digits and decimal sign: "592.02" is "592,02" in German. */
export function decimal(text) {
  glyphs ??= glyphsOf();
  return glyphs.isPlain ? String(text) : String(text).replace(/[0-9.]/g, (letter) => glyphs.of[letter]);
}

/** A number in the reader's form, with options as for Intl.NumberFormat. */
export function number(value, options) {
  return cached(Intl.NumberFormat, options).format(value);
}

/** A time in the reader's form and time zone, unless the options name another. */
export function time(value, options) {
  return cached(Intl.DateTimeFormat, { timeZone, ...options }).format(value);
}

/** Making one takes longer than using it a hundred times. */
function cached(Format, options) {
  const key = `${Format.name} ${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new Format(locale, options));
  return made.get(key);
}

/** The value, if the browser can use it. It may have been kept by another browser, or by nobody. */
function usable(value, tryOut) {
  if (!value) return undefined;
  try {
    tryOut(value);
    return value;
  } catch {
    return undefined;
  }
}

function glyphsOf() {
  const plain = new Intl.NumberFormat(locale, { useGrouping: false, minimumFractionDigits: 1 });
  const sign = plain.formatToParts(0.5).find(({ type }) => type === 'decimal').value;
  const digit = new Intl.NumberFormat(locale, { useGrouping: false });
  const of = { '.': sign, ...Object.fromEntries(Array.from({ length: 10 }, (_, i) => [String(i), digit.format(i)])) };
  return { of, isPlain: Object.entries(of).every(([from, to]) => from === to) };
}
