// The price of now beside the levels of a signal. What follows from the levels is shown to those who have
// them; the price alone is known to everybody.

import { isFinal } from './final.js';
import { decimal } from './format.js';
import { digitsOf, levelsOf, percentText } from './plot.js';
import { age, isPast } from './time.js';

/** A price that is older than this says nothing of now. */
const OLDEST = 300_000;
const NONE = '-';

/** Exchanges fill prices up with zeros to eight digits. Those say nothing that come after the second digit and the last of the levels. */
function ofNow(signal, price) {
  const [whole, digits] = String(price).split('.');
  if (digits === undefined) return decimal(price);
  const least = Math.max(2, ...(levelsOf(signal) ?? []).map((level) => digitsOf(level.price)));
  return decimal(`${whole}.${digits.slice(0, Math.max(least, digits.replace(/0+$/, '').length))}`);
}

/**
 * The price that is shown with a signal; null where there is none, it is old, or the signal is over.
 * @param {{price: string, at: string} | undefined} latest of its symbol
 */
export function priceNow(signal, outcome, latest, now) {
  if (latest === undefined || isFinal(outcome) || isPast(signal.expires_at, now)) return null;
  return now - Date.parse(latest.at) <= OLDEST ? latest : null;
}

/**
 * What the price means for whoever entered at the entry, in percent: the gain so far, and how far the price
 * is from the stop and from each target; those are not above 0 once it is there. Null without levels.
 */
export function standsAt(signal, { price }) {
  if (levelsOf(signal) === null) return null;
  const side = signal.signal_type === 'SHORT' ? -1 : 1;
  const move = (from, to) => side * (Number(to) / Number(from) - 1) * 100;
  return {
    gain: move(signal.entry_price, price),
    stop: -move(price, signal.stop_loss),
    targets: signal.take_profit.map((target) => move(price, target)),
  };
}

/** For a row: "26.91, +0.67 % now;", and the gain's sign. */
export function nowText(signal, latest) {
  if (latest === null) return { text: '', sign: null };
  const gain = standsAt(signal, latest)?.gain;
  if (gain === undefined) return { text: `${ofNow(signal, latest.price)} now;`, sign: null };
  const percent = percentText(gain);
  return { text: `${ofNow(signal, latest.price)}, ${percent} now;`, sign: percent.slice(0, 1) };
}

/** Names and values for the details: always the same lines. */
export function nowFacts(signal, latest, now) {
  const stands = latest === null ? null : standsAt(signal, latest);
  const price = latest === null ? NONE : `${ofNow(signal, latest.price)} (${age(latest.at, now)})`;
  if (levelsOf(signal) === null) return [['Price now', price]];
  const left = (percent) => (percent <= 0 ? 'reached' : `${decimal(percent.toFixed(2))} %`);
  const count = signal.take_profit.length;
  return [
    ['Price now', price],
    ['Since the entry', stands === null ? NONE : percentText(stands.gain)],
    ['To the stop', stands === null ? NONE : left(stands.stop)],
    [count > 1 ? 'To the targets' : 'To the target', stands === null ? NONE : stands.targets.map(left).join(', ')],
  ];
}
