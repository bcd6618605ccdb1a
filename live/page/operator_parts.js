// What the operator's view shows, as elements.

import { element } from './dom.js';
import { count } from './numbers.js';
import { clock, millis, stages, stagesOf } from './stages.js';
import { wholeTime } from './time.js';

/** Runs of the table; the chart has more. */
const LISTED = 12;

const text = (value) => (value === null || value === undefined || value === '' ? '-' : String(value));
const when = (at) => (at ? wholeTime(at) : '-');

/** Rows are lists of a heading and cells: texts, or {text, mood, isWide}. */
function table(caption, head, rows) {
  const cell = (value) => (typeof value === 'object' && value !== null
    ? element('td', { 'data-mood': value.mood, class: value.isWide && 'words' }, text(value.text)) : element('td', {}, text(value)));
  return element('div', { class: 'scroll', role: 'region', 'aria-label': caption, tabindex: 0 },
    element('table', { class: 'data' },
      element('caption', {}, caption),
      element('thead', {}, element('tr', {}, ...head.map((name) => element('th', { scope: 'col' }, name)))),
      element('tbody', {}, ...rows.map(([name, ...cells]) => element('tr', {}, element('th', { scope: 'row' }, text(name)), ...cells.map(cell))))));
}

const facts = (pairs) => element('dl', { class: 'facts' }, ...pairs.map(([name, value]) => element('div', { class: name === 'Reach' && 'wide' }, element('dt', {}, name), element('dd', {}, text(value)))));

export function healthOf({ health, pause, clients, reach }) {
  return [
    element('p', { class: 'state', 'data-mood': health.healthy ? 'good' : 'bad' }, health.state),
    // The line below says the same.
    pause !== null && health.state === 'paused' ? null : element('p', {}, health.message),
    pause === null ? null : element('p', {}, `Paused ${when(pause.paused_at)} by ${pause.paused_by}: ${pause.reason ?? 'no reason given'}`),
    facts([
      ['Last run', when(health.last_run)], ['Next run', when(health.next_run)], ['Worker', health.worker_pid], ['Worker since', when(health.started_at)],
      ['Restarts', health.restarts], ['Signals in 24 hours', count(health.signals_24h)], ['Deliveries in 24 hours', count(health.deliveries_24h)],
      ['Outcomes open', count(health.outcomes_open)], ['Streams of this service', count(clients)], ['Reach', reach?.message],
    ]),
  ].filter(Boolean);
}

export function runsOf(runs) {
  if (runs.length === 0) return [element('p', {}, 'There is no run yet.')];
  const failed = (run) => (run.status === 'failed' ? 'bad' : null);
  return [
    stages(runs),
    table('The last runs', ['Began', 'Status', 'Fetch', 'Judge', 'Record', 'Deliver', 'Judged', 'Signals', 'Result'],
      runs.slice(-LISTED).reverse().map((run) => [
        clock(run.started_at), { text: `${run.status}${run.trigger === 'manual' ? ', by hand' : ''}`, mood: failed(run) }, ...stagesOf(run).map(millis),
        run.symbols_watched === null ? '-' : `${run.symbols_judged} of ${run.symbols_watched}`, count(run.signals_generated),
        { text: run.error ?? run.message, mood: run.error === null ? null : 'bad', isWide: true },
      ])),
  ];
}

export function progressOf(progress) {
  if (progress.length === 0) return [element('p', {}, 'No fan-out is under way.')];
  return [table('Under way', ['Signal', 'Symbol', 'Began', 'Delivered', 'Of about', 'Rows a second', 'Done about'],
    progress.map((row) => [row.signal_id, row.symbol, clock(row.started_at), count(row.delivered), count(row.expected),
      count(row.rows_per_second), row.estimated_end ? clock(row.estimated_end) : '-']))];
}

export function deliveriesOf(runs) {
  if (runs.length === 0) return [];
  return [table('The last runs with signals', ['Began', 'Run', 'Signals', 'Deliveries', 'Given up', 'Fan-out'],
    runs.map((run) => [when(run.started_at), run.run_id, count(run.signals_generated), count(run.deliveries),
      { text: count(run.delivery_failures), mood: run.delivery_failures > 0 ? 'bad' : null }, run.finished_at === null ? 'under way' : millis(run.deliver_ms)]))];
}

export function uptimeOf(days) {
  if (days.length === 0) return [element('p', {}, 'There is no day yet.')];
  const share = (percent) => (percent === null ? '-' : `${percent} %`);
  const seconds = (interval) => interval?.replace(/\.\d+$/, '');
  return [table('The last 30 days', ['Day', 'Good', 'Due', 'Made', 'Failed', 'Missed', 'Longest gap', 'Paused', 'Switched off'],
    days.map((day) => [day.day, { text: share(day.good_percent), mood: day.good_percent !== null && day.good_percent < 99 ? 'bad' : null },
      count(day.due), count(day.made), count(day.failed), count(day.missed), seconds(day.longest_gap), seconds(day.paused), seconds(day.disabled)]))];
}

/**
 * By symbol: what preview_signals() says of each, in the order of the gates.
 * @returns {Map<string, {verdict: string, gate: string}>} the verdict, and the first gate that did not let it pass
 */
export function reasonsOf(gates) {
  const reasons = new Map();
  for (const { symbol, verdict, gate, value, threshold, passed } of gates) {
    const known = reasons.get(symbol) ?? { verdict, gate: '' };
    if (known.gate === '' && passed === false) known.gate = `${gate}: ${value ?? '-'} (${threshold ?? '-'})`;
    reasons.set(symbol, known);
  }
  return reasons;
}

/** @param {object[] | null} gates of preview_signals(), once somebody asked */
export function symbolsOf(symbols, gates) {
  const reasons = gates === null ? null : reasonsOf(gates);
  const head = ['Symbol', 'Status', 'Last seen'];
  return [table(`${count(symbols.length)} symbols`, reasons === null ? head : [...head, 'Verdict now', 'First gate that is closed'],
    symbols.map(({ symbol, enabled, status, status_why, last_seen_at }) => {
      const state = enabled ? text(status) : 'not watched';
      const cells = [symbol, { text: status_why ? `${state}: ${status_why}` : state, isWide: Boolean(status_why), mood: enabled && status !== null && status !== 'TRADING' ? 'bad' : null }, when(last_seen_at)];
      if (reasons === null) return cells;
      const reason = reasons.get(symbol);
      return [...cells, { text: reason?.verdict, isWide: true }, { text: reason?.gate, isWide: true }];
    }))];
}
