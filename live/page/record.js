// The track record as it is shown: the verdict and the table with its intervals, then the chart, then
// the same by side and by symbol. Losers and winners stand in one order, that of their numbers.

import { chart } from './chart.js';
import { element } from './dom.js';
import { count, dayText, gain, gainRange, ratio, share, shareRange } from './numbers.js';

/** What the verdicts of signal_track_record() mean. Others are shown as they come. */
const VERDICTS = {
  'too few': ['Too few signals to judge', 'That takes 28 days, and signals that are worth 100 independent ones. Until then no number here says much.'],
  'no edge shown': ['No edge shown', 'By these numbers the signals cannot be told from a coin flip at the same moments.'],
  'worse than a coin flip': ['Worse than a coin flip', 'The opposite of each signal, at the same moment, would have returned more.'],
  'edge shown': ['Edge shown', 'The signals did better than a coin flip at the same moments, also after allowing for how many rules were tried. What comes may differ.'],
};

/** The verdict in words: a few, and a sentence. */
export function verdictOf({ verdict }) {
  return VERDICTS[verdict] ?? [String(verdict), ''];
}

/** How large the sample is, in a sentence. */
export function sampleOf({ since, until, total }) {
  const { signals, settled, open, void: isVoid, days, n_effective } = total;
  if (signals === 0) return 'No signal is on record yet.';
  const left = [open > 0 && `${count(open)} open`, isVoid > 0 && `${count(isVoid)} void`].filter(Boolean);
  const period = `from ${dayText(since.slice(0, 10))} to ${dayText(until.slice(0, 10))}`;
  const worth = settled > 0 && typeof n_effective === 'number'
    ? ` on ${count(days)} ${days === 1 ? 'day' : 'days'}; because signals of one day move together, they say as much as ${count(Math.floor(n_effective))} independent ones`
    : '';
  return `${count(settled)} of ${count(signals)} signals ${period} are settled${left.length > 0 ? ` (${left.join(', ')})` : ''}${worth}.`;
}

/** All of it, as elements. */
export function recordOf(record) {
  const { total, sides, symbols, symbols_total, days } = record;
  const [words, meaning] = verdictOf(total);
  const parts = [
    element('p', { class: 'verdict' }, words),
    element('p', {}, total.signals === 0 ? '' : meaning),
    element('p', { class: 'sample-size' }, sampleOf(record)),
  ];
  if (total.settled === 0) return parts;
  parts.push(touches(total), returns(total), facts(total));
  if (days.length > 0) parts.push(chart(days));
  parts.push(
    groups('By side', sides.map((row) => [row.signal_type, row])),
    groups(symbols.length < symbols_total ? `By symbol: the ${count(symbols.length)} with most signals, of ${count(symbols_total)}` : 'By symbol',
      symbols.map((row) => [row.symbol, row])),
    element('p', { class: 'method' },
      'Every signal counts, losers too: none is taken out of the record. Returns are of who enters at the entry and leaves wholly at target 1, else at the stop, else at the expiry, '
      + 'by candles of the exchange, after fees. Intervals hold 95 % and take signals of one day as moving together. The edge is half the difference to the opposite signal at the same moment.'),
  );
  return parts;
}

function touches(total) {
  const row = (name, key) => [name, count(total[key]), share(total[`${key}_rate`]), shareRange(total[`${key}_low`], total[`${key}_high`])];
  const targets = [1, 2, 3].filter((i) => typeof total[`target${i}`] === 'number').map((i) => row(`Target ${i} hit`, `target${i}`));
  const untouched = ['Neither hit', count(total.untouched), share((total.untouched / total.settled) * 100), ''];
  return table('What was hit before the expiry', ['', 'Signals', 'Share', '95 % interval'], [...targets, row('Stop hit first', 'stop_first'), untouched]);
}

function returns(total) {
  return table('Return of a signal, after fees', ['', 'Mean', '95 % interval'], [
    ['Signals', gain(total.mean_percent), gainRange(total.mean_low, total.mean_high)],
    ['Opposite signals', gain(total.mirror_percent), ''],
    ['Edge over a coin flip', gain(total.edge_percent), gainRange(total.edge_low, total.edge_high)],
  ]);
}

function facts(total) {
  const known = [
    ['Signals with a gain', share(total.win_rate)],
    ['Before fees', gain(total.gross_percent)],
    ['Gains : losses', ratio(total.profit_factor)],
    ['Deepest fall of the sum', gain(total.max_drawdown_percent && -total.max_drawdown_percent)],
    ['Time in the market', share(total.exposure_percent)],
    ['Decided by stop first', count(total.ambiguous)],
    ['Settled by samples, left out', count(total.sampled)],
  ];
  return element('dl', { class: 'facts' }, ...known.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))));
}

function groups(title, rows) {
  // Where nothing is settled there is neither.
  const within = (value, range) => (range === '-' ? value : `${value} (${range})`);
  const cells = rows.map(([name, row]) => [
    name, row.verdict, count(row.settled), within(share(row.target1_rate), shareRange(row.target1_low, row.target1_high)),
    within(share(row.stop_first_rate), shareRange(row.stop_first_low, row.stop_first_high)),
    within(gain(row.mean_percent), gainRange(row.mean_low, row.mean_high)), within(gain(row.edge_percent), gainRange(row.edge_low, row.edge_high)),
  ]);
  const head = ['', 'Verdict', 'Settled', 'Target 1', 'Stop first', 'Mean return', 'Edge'];
  // It may be wider than the window; then it scrolls by itself, also by keyboard.
  return element('div', { class: 'scroll', role: 'region', 'aria-label': title, tabindex: 0 }, table(title, head, cells));
}

function table(caption, head, rows) {
  return element('table', {},
    element('caption', {}, caption),
    element('thead', {}, element('tr', {}, ...head.map((name) => (name === '' ? element('td') : element('th', { scope: 'col' }, name))))),
    element('tbody', {}, ...rows.map(([name, ...values]) =>
      element('tr', {}, element('th', { scope: 'row' }, name), ...values.map((value) => element('td', {}, value))))));
}
