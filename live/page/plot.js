// The price levels of a signal, drawn: entry, stop and targets.

import { svgElement } from './dom.js';
import { decimal } from './format.js';

const HEIGHT = 200;
const MARGIN = 14;
/** The widest letter of a label; digits are of the same width. */
const LETTER = 8.2;
/** Between two columns of labels. */
const SPACE = 8;
/** The picture is this wide, unless labels need more. */
const WIDTH = 360;
/** Lines and zones take what the labels leave, within these limits. */
const SHORTEST_LINE = 48;
const LONGEST_LINE = 128;
/** From the end of a line to its label. */
const LEADER = 22;
/** Smallest distance of two labels. */
const LABEL_GAP = 22;

/** How many digits a price has after its point. */
export const digitsOf = (price) => (String(price).split('.')[1] ?? '').length;

/**
 * The levels of a signal from the highest price to the lowest; null where they are withheld.
 * Prices stay texts, so that they are shown with exactly the digits that came.
 * @returns {{kind: 'stop' | 'entry' | 'target', name: string, price: string, percent: number}[] | null}
 */
export function levelsOf({ entry_price, stop_loss, take_profit }) {
  if (entry_price === null || stop_loss === null || take_profit === null) return null;
  const entry = Number(entry_price);
  const level = (kind, name, price) => ({ kind, name, price, percent: (Number(price) / entry - 1) * 100 });
  const targets = take_profit.map((price, i) => level('target', take_profit.length > 1 ? `Target ${i + 1}` : 'Target', price));
  return [level('stop', 'Stop', stop_loss), level('entry', 'Entry', entry_price), ...targets]
    .sort((a, b) => Number(b.price) - Number(a.price));
}

/** What the last target wins for each unit that the stop loses; null when the stop is at the entry. */
export function rewardToRisk({ entry_price, stop_loss, take_profit }) {
  const risk = Math.abs(Number(entry_price) - Number(stop_loss));
  const reward = Math.abs(Number(take_profit.at(-1)) - Number(entry_price));
  return risk > 0 ? reward / risk : null;
}

/** "+1.50 %"; of a price, the sign says whether it is above or below the entry. */
export function percentText(percent) {
  const digits = Math.abs(percent).toFixed(2);
  return `${percent >= 0 || Number(digits) === 0 ? '+' : '-'}${decimal(digits)} %`;
}

/** "+1.50 %" for what a level wins, "-1.50 %" for what it loses, on either side; empty for the entry. */
export function gainText({ kind, percent }, { signal_type }) {
  if (kind === 'entry') return '';
  return percentText(signal_type === 'SHORT' ? -percent : percent);
}

/** Where lines end, columns of labels are, and the picture ends, so that no label overlaps another. */
export function columns(levels, gains) {
  const widest = (texts) => Math.max(...texts.map((text) => text.length)) * LETTER;
  const [name, price, gain] = [levels.map((level) => level.name), levels.map((level) => level.price), gains].map(widest);
  const labels = LEADER + name + SPACE + price + SPACE + gain;
  const line = Math.min(LONGEST_LINE, Math.max(SHORTEST_LINE, WIDTH - labels));
  const width = Math.max(WIDTH, line + labels);
  return { line, name: line + LEADER, price: width - gain - SPACE, width };
}

/**
 * Heights at which labels do not touch, each as near to the wanted one as the labels before it allow.
 * @param {number[]} wanted ascending
 */
export function spread(wanted, gap, lowest, highest) {
  const places = [];
  for (const y of wanted) places.push(Math.max(y, lowest, (places.at(-1) ?? -Infinity) + gap));
  // Labels that were pushed beyond the end go back, and push those before them.
  let limit = highest;
  for (let i = places.length - 1; i >= 0; i -= 1) {
    places[i] = Math.min(places[i], limit);
    limit = places[i] - gap;
  }
  return places;
}

/** The levels as a picture with prices and distances. */
export function plot(signal) {
  const levels = levelsOf(signal);
  const y = scale(levels, MARGIN, HEIGHT - MARGIN);
  const labelY = spread(levels.map((level) => y(level.price)), LABEL_GAP, MARGIN, HEIGHT - MARGIN);
  const gains = levels.map((level) => gainText(level, signal));
  const at = columns(levels, gains);
  return svgElement(
    'svg',
    { class: 'plot', viewBox: `0 0 ${at.width} ${HEIGHT}`, role: 'img', 'aria-label': describe(levels) },
    ...zones(signal, y, at),
    ...levels.map((level, i) => line(level, gains[i], at, y(level.price), labelY[i])),
  );
}

/** The levels without words, for the head of a card; a decoration. Low prices are on the left. */
export function strip(signal) {
  const levels = levelsOf(signal);
  const x = stripScale(levels);
  const span = (kind, from, to) =>
    svgElement('rect', { class: `zone ${kind}`, x: Math.min(x(from), x(to)), width: Math.abs(x(to) - x(from)), y: 3, height: 4 });
  return svgElement(
    'svg',
    { class: 'strip', viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    span('stop', signal.entry_price, signal.stop_loss),
    span('target', signal.entry_price, signal.take_profit.at(-1)),
    ...levels.map((level) => svgElement('rect', { class: `level ${level.kind}`, x: x(level.price) - 0.4, width: 0.8, y: 1, height: 8 })),
    svgElement('rect', { class: 'now', hidden: true, width: 1.4, height: 10 }),
  );
}

/** Where a price is on the strip, from 0 to 100; one beyond its ends is at the end. */
export function placeOnStrip(signal, price) {
  return Math.min(99, Math.max(1, stripScale(levelsOf(signal))(price)));
}

function stripScale(levels) {
  return scale([...levels].reverse(), 2, 98);
}

/** From the first level's price at `start` to the last one's at `end`. */
function scale(levels, start, end) {
  const first = Number(levels[0].price);
  const last = Number(levels.at(-1).price);
  return (price) => (first === last ? (start + end) / 2 : start + ((Number(price) - first) / (last - first)) * (end - start));
}

function zones(signal, y, at) {
  const zone = (kind, from, to) =>
    svgElement('rect', {
      class: `zone ${kind}`, x: 0, width: at.line, y: Math.min(y(from), y(to)), height: Math.abs(y(to) - y(from)),
    });
  return [zone('stop', signal.entry_price, signal.stop_loss), zone('target', signal.entry_price, signal.take_profit.at(-1))];
}

function line(level, gain, at, y, labelY) {
  const text = (x, anchor, words) => svgElement('text', { x, y: labelY, 'text-anchor': anchor, 'dominant-baseline': 'central' }, words);
  return svgElement(
    'g',
    { class: `level ${level.kind}` },
    svgElement('path', { d: `M0 ${y} H${at.line} L${at.line + 16} ${labelY}` }),
    text(at.name, 'start', level.name),
    text(at.price, 'end', decimal(level.price)),
    text(at.width, 'end', gain),
  );
}

/** In words, with the distance of each price from the entry: it is about prices, the labels are about the outcome. */
function describe(levels) {
  const words = levels.map(({ kind, name, price, percent }) => `${name} ${decimal(price)}${kind === 'entry' ? '' : `, ${percentText(percent)}`}`);
  return `Price levels from high to low: ${words.join('; ')}`;
}
