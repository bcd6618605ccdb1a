// Which signals are listed, and in which order: a pure function of all that is known and a filter, which
// the address holds.

import { isFinal } from './final.js';
import { resultOf } from './outcome.js';
import { isPast } from './time.js';

/** Lists everything, the newest first. */
export const ALL = { q: '', symbol: '', side: '', state: '', outcome: '', sort: 'newest' };
/** Values that an address may have; others count as none. */
const KNOWN = {
  side: ['LONG', 'SHORT'],
  state: ['open', 'closed'],
  outcome: ['target', 'stop', 'expired', 'void', 'none'],
  sort: ['newest', 'oldest', 'strength', 'quality', 'symbol', 'result'],
};
/** Longest text that is searched for. */
const LONGEST = 100;

/** The filter of an address, of its part after #. */
export function filterOf(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const filter = { ...ALL };
  for (const name of Object.keys(ALL)) {
    const value = (given.get(name) ?? '').slice(0, LONGEST);
    if (value !== '' && (KNOWN[name]?.includes(value) ?? true)) filter[name] = value;
  }
  return filter;
}

/** The part of the address after # that holds a filter and the signal that is open; empty for none. */
export function hashOf(filter, signal = null) {
  const parts = Object.entries(filter).filter(([name, value]) => value !== ALL[name]);
  if (signal !== null) parts.push(['signal', signal]);
  return new URLSearchParams(parts).toString();
}

/** Whether anything is left out. */
export function leavesOut(filter) {
  return Object.keys(ALL).some((name) => name !== 'sort' && filter[name] !== '');
}

/**
 * The ids to list, in order.
 * @param {string[]} ids of all that is known
 * @param {(id: string) => object} signalOf
 * @param {(id: string) => object | undefined} outcomeOf
 * @param {number} now by the server's clock
 */
export function arrange(ids, signalOf, outcomeOf, filter, now) {
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = leavesOut(filter) ? ids.filter((id) => matches(signalOf(id), outcomeOf(id), filter, words, now)) : [...ids];
  const newest = (a, b) => timeOf(signalOf(b)) - timeOf(signalOf(a)) || Number(b) - Number(a);
  const by = (value) => (a, b) => value(b) - value(a) || newest(a, b);
  const orders = {
    newest,
    oldest: (a, b) => newest(b, a),
    strength: by((id) => Number(signalOf(id).confidence)),
    quality: by((id) => Number(signalOf(id).quality_score)),
    symbol: (a, b) => compare(signalOf(a).symbol, signalOf(b).symbol) || newest(a, b),
    result: by((id) => returnOf(outcomeOf(id))),
  };
  return kept.sort(orders[filter.sort] ?? newest);
}

function matches(signal, outcome, filter, words, now) {
  if (filter.symbol !== '' && signal.symbol !== filter.symbol) return false;
  if (filter.side !== '' && signal.signal_type !== filter.side) return false;
  if (filter.state !== '' && filter.state !== (isOpen(signal, outcome, now) ? 'open' : 'closed')) return false;
  if (filter.outcome !== '' && filter.outcome !== outcomeKind(signal, outcome, now)) return false;
  if (words.length === 0) return true;
  const text = `${signal.signal_id} ${signal.symbol} ${signal.signal_type} ${signal.tier} ${plain(signal.metadata?.why)}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

/** Neither settled nor past its time. */
function isOpen(signal, outcome, now) {
  return !isFinal(outcome) && !isPast(signal.expires_at, now);
}

function outcomeKind(signal, outcome, now) {
  return isFinal(outcome) ? resultOf(signal, outcome, now).kind : 'none';
}

/** What leaving at target 1 returned; signals that are not settled come last. */
function returnOf(outcome) {
  const text = outcome?.returns_percent?.[0] ?? null;
  return isFinal(outcome) && text !== null ? Number(text) : -1e9;
}

const plain = (value) => (typeof value === 'string' ? value : '');
const compare = (a, b) => (a < b ? -1 : Number(a > b));

/** Times are parsed once for each signal: a sort of thousands compares them ten thousands of times. */
const times = new WeakMap();

function timeOf(signal) {
  let time = times.get(signal);
  if (time === undefined) {
    time = Date.parse(signal.created_at);
    times.set(signal, time);
  }
  return time;
}
