// The track record as a line: what one unit on each signal has returned in all, beside the opposite
// signals at the same moments.
//
// The lines are stretched to the width there is; what has letters is beside them, so that it keeps its
// size. Written by hand: it is two lines and a scale, and a library would be most of the page.

import { element, svgElement } from './dom.js';
import { decimal } from './format.js';
import { count, dayText, gain } from './numbers.js';

const WIDTH = 600;
const HEIGHT = 200;
/** About so many lines of the scale. */
const STEPS = 4;

/**
 * Sums from day to day. Days without a settled signal add nothing.
 * @param {{day: string, settled: number, mean_percent: number | null, mirror_percent: number | null}[]} days in order
 * @returns {{day: string, settled: number, signals: number, mirror: number}[]}
 */
export function cumulative(days) {
  let [signals, mirror] = [0, 0];
  return days.map(({ day, settled, mean_percent, mirror_percent }) => {
    signals += settled * (mean_percent ?? 0);
    mirror += settled * (mirror_percent ?? 0);
    return { day, settled, signals, mirror };
  });
}

/** Round numbers at equal distances that enclose all values and zero, from the highest to the lowest. */
export function scaleOf(values) {
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const rough = (high - low) / STEPS || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const [first, last] = [Math.floor(low / step), Math.ceil(high / step)];
  const length = Math.max(1, last - first) + 1;
  return Array.from({ length }, (_, i) => Number(((first + length - 1 - i) * step).toPrecision(12)));
}

/** The chart with its legend, and its numbers as a table. */
export function chart(days) {
  const points = cumulative(days);
  const scale = scaleOf(points.flatMap(({ signals, mirror }) => [signals, mirror]));
  const y = (value) => ((scale[0] - value) / (scale[0] - scale.at(-1))) * HEIGHT;
  const x = (i) => (points.length > 1 ? (i / (points.length - 1)) * WIDTH : WIDTH / 2);
  const line = (kind) => svgElement('path', { class: `line ${kind}`, d: pathOf(points.map((point, i) => [x(i), y(point[kind])])) });
  const rule = (value) => svgElement('path', { class: value === 0 ? 'rule zero' : 'rule', d: `M0 ${y(value)} H${WIDTH}` });
  const ends = points.length > 2 ? [points[0], points[Math.floor((points.length - 1) / 2)], points.at(-1)] : points;
  return element('figure', { class: 'chart' },
    element('figcaption', {}, 'One unit on each signal, left at target 1, after fees: the sum of all returns by UTC day'),
    legend(points.at(-1)),
    element('div', { class: 'plane' },
      element('div', { class: 'scale', 'aria-hidden': 'true' }, ...scale.map((value) => element('span', {}, `${decimal(value)} %`))),
      svgElement('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': describe(points) },
        ...scale.map(rule), line('mirror'), line('signals')),
      element('div', { class: 'days', 'aria-hidden': 'true' }, ...ends.map(({ day }) => element('span', {}, dayText(day))))),
    numbers(points));
}

function pathOf(points) {
  const [[x, y], ...rest] = points.map(([left, top]) => [left.toFixed(1), top.toFixed(1)]);
  // A single day is a dash, since a point has no length.
  return rest.length === 0 ? `M${Number(x) - 6} ${y} h12` : `M${x} ${y} ${rest.map(([left, top]) => `L${left} ${top}`).join(' ')}`;
}

function legend(last) {
  const entry = (kind, name) => element('li', {},
    svgElement('svg', { class: 'sample', viewBox: '0 0 24 8', 'aria-hidden': 'true' }, svgElement('path', { class: `line ${kind}`, d: 'M0 4 H24' })),
    `${name}: ${gain(last[kind])}`);
  return element('ul', { class: 'legend' }, entry('signals', 'Signals'), entry('mirror', 'Opposite signals'));
}

function describe(points) {
  const last = points.at(-1);
  const lowest = points.reduce((least, point) => (point.signals < least.signals ? point : least));
  const highest = points.reduce((most, point) => (point.signals > most.signals ? point : most));
  return `Sum of returns from ${dayText(points[0].day)} to ${dayText(last.day)}: signals ${gain(last.signals)}, `
    + `lowest ${gain(lowest.signals)} on ${dayText(lowest.day)}, highest ${gain(highest.signals)} on ${dayText(highest.day)}; `
    + `opposite signals ${gain(last.mirror)}.`;
}

/** For those who cannot see the lines, or want the numbers. */
function numbers(points) {
  const head = ['UTC day', 'Settled', 'Signals', 'Opposite'].map((name) => element('th', { scope: 'col' }, name));
  const rows = points.map(({ day, settled, signals, mirror }) => element('tr', {},
    element('th', { scope: 'row' }, dayText(day)), ...[count(settled), gain(signals), gain(mirror)].map((text) => element('td', {}, text))));
  return element('details', {},
    element('summary', {}, 'The numbers of this chart'),
    element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows)));
}
