// What the page knows, and how it changes: state and action in, new state out.
//
// Every action may come twice or late (a duplicate delivery, another tab, a page
// of the catch-up after a live event), so the order must not matter: a signal is
// identified by its id, and its marks only go from false to true.
//
// Written by hand because these rules are nearly all of it; a library would add
// only the frame around them.

import { isFinal } from './final.js';

/** How many of the newest signals are kept; at times up to SPARE more. */
export const KEPT = 200;
const SPARE = 50;

/** What is known before anything was received. */
export function emptyState() {
  return {
    /** By id as text: the row as the service sends it. */
    signals: {},
    /** By id as text: what became of the signal, as the service sends it. */
    outcomes: {},
    /** By symbol: the latest price, {price, at}, of signals that are open. */
    prices: {},
    /** Where to resume; null before the first read. */
    watermark: null,
    /** What the service said of the generator last, and when by the server's clock. */
    health: null,
    /** What to add to this machine's clock to have the server's. */
    clockOffset: 0,
    /** Marks made here that the server has not confirmed, by signal id. */
    unsaved: {},
    /** See stream.js. */
    connection: { phase: 'connecting' },
  };
}

/**
 * Actions:
 *   {type: 'price', prices}                   latest prices by symbol
 *   {type: 'signal', signal}                  a row, new or known
 *   {type: 'outcome', outcome}                what became of a signal, so far or for good
 *   {type: 'mark', mark}                      viewed, clicked and prices as the server has them
 *   {type: 'marked', signal_id, viewed, clicked, isOlder}   a mark made here; of an older signal that is not in the state
 *   {type: 'unsavable', signal_id}            the server does not have the row (any more)
 *   {type: 'state', state}                    what the leading tab knows
 *   {type: 'watermark', watermark}            null: start without one
 *   {type: 'health', health}
 *   {type: 'clock', clockOffset}
 *   {type: 'connection', connection}
 * @returns the same object when nothing changed
 */
export function reduce(state, action) {
  switch (action.type) {
    case 'signal':
      return withSignal(state, action.signal);
    case 'outcome':
      return withOutcome(state, action.outcome);
    case 'price':
      return { ...state, prices: { ...state.prices, ...action.prices } };
    case 'mark':
      return saved(withMark(state, action.mark), action.mark);
    case 'marked':
      return unsaved(state, action);
    case 'unsavable':
      return { ...state, unsaved: without(state.unsaved, String(action.signal_id)) };
    case 'state':
      return adopted(action.state, state);
    case 'watermark':
      return state.watermark === action.watermark ? state : { ...state, watermark: action.watermark };
    case 'health':
      return { ...state, health: action.health };
    case 'clock':
      return state.clockOffset === action.clockOffset ? state : { ...state, clockOffset: action.clockOffset };
    case 'connection':
      return { ...state, connection: action.connection };
    default:
      return state;
  }
}

/** Ids, the newest first by time: two runs may commit in another order than that of their ids. */
export function newestFirst(state) {
  return Object.keys(state.signals).sort((a, b) => {
    const [left, right] = [state.signals[a], state.signals[b]];
    return Date.parse(right.created_at) - Date.parse(left.created_at) || Number(b) - Number(a);
  });
}

/** Ids of the signals whose outcome is not known for good. */
export function unsettled(state) {
  return Object.keys(state.signals).filter((id) => !isFinal(state.outcomes[id]));
}

/** The time of the last signal of this subscriber or of the generator; null when there was none. */
export function lastSignalAt(state) {
  const times = Object.values(state.signals).map((signal) => signal.created_at);
  if (state.health?.last_signal_at) times.push(state.health.last_signal_at);
  return times.reduce((last, time) => (last === null || Date.parse(time) > Date.parse(last) ? time : last), null);
}

function withSignal(state, signal) {
  const id = String(signal.signal_id);
  const known = state.signals[id];
  const next = known ? { ...signal, ...marksOf(known, signal) } : signal;
  if (known && JSON.stringify(known) === JSON.stringify(next)) return state;
  return saved({ ...state, ...pruned({ ...state.signals, [id]: next }, state.outcomes) }, next);
}

/** Of a signal that is not known an outcome is not needed: the row, read later, comes with it. */
function withOutcome(state, outcome) {
  const id = String(outcome.signal_id);
  if (!Object.hasOwn(state.signals, id)) return state;
  const known = state.outcomes[id];
  if (known && (progress(known) > progress(outcome) || JSON.stringify(known) === JSON.stringify(outcome))) return state;
  return { ...state, outcomes: { ...state.outcomes, [id]: outcome } };
}

/** An outcome only goes on: more targets are seen, it ends, it is superseded, it is settled. */
function progress(outcome) {
  if (isFinal(outcome)) return Infinity;
  return (outcome.best_target ?? 0) * 4 + (outcome.ended ? 2 : 0) + (outcome.superseded_at ? 1 : 0);
}

function withMark(state, mark) {
  const id = String(mark.signal_id);
  const known = state.signals[id];
  if (!known) return state;
  return { ...state, signals: { ...state.signals, [id]: { ...known, ...marksOf(known, mark), ...pricesOf(known, mark) } } };
}

/** Prices that were withheld: whoever moves to a tier with prices gets those of the signals that are open. */
function pricesOf(known, { full_details, entry_price, take_profit, stop_loss }) {
  return full_details && !known.full_details ? { full_details, entry_price, take_profit, stop_loss } : {};
}

/** The leader's state, with the signals and the marks made here that it may not have received. */
function adopted(theirs, ours) {
  const received = [
    ...Object.values(theirs.signals).map((signal) => ({ type: 'signal', signal })),
    // One of a tab that runs an earlier version of the page lacks what came later.
    ...Object.values(theirs.outcomes ?? {}).map((outcome) => ({ type: 'outcome', outcome })),
  ].reduce(reduce, ours);
  const waiting = { ...theirs.unsaved };
  for (const [id, marks] of Object.entries(received.unsaved)) waiting[id] = { ...waiting[id], ...marks };
  return { ...theirs, signals: received.signals, outcomes: received.outcomes, prices: theirs.prices ?? {}, unsaved: waiting };
}

/** Marks that either of the two has, with the time of the first. */
function marksOf(one, other) {
  return {
    viewed: Boolean(one.viewed || other.viewed),
    viewed_at: one.viewed_at ?? other.viewed_at ?? null,
    clicked: Boolean(one.clicked || other.clicked),
    clicked_at: one.clicked_at ?? other.clicked_at ?? null,
  };
}

/** Adds marks that are new to the row, and remembers to send them. */
function unsaved(state, { signal_id, viewed = false, clicked = false, isOlder = false }) {
  const id = String(signal_id);
  const row = state.signals[id];
  if (!row) return isOlder ? { ...state, unsaved: { ...state.unsaved, [id]: { ...state.unsaved[id], ...(viewed && { viewed }), ...(clicked && { clicked }) } } } : state;
  const wanted = {};
  if (viewed && !row.viewed) wanted.viewed = true;
  if (clicked && !row.clicked) wanted.clicked = true;
  if (Object.keys(wanted).length === 0) return state;
  return {
    ...state,
    signals: { ...state.signals, [id]: { ...row, ...wanted } },
    unsaved: { ...state.unsaved, [id]: { ...state.unsaved[id], ...wanted } },
  };
}

/** Without the unsaved marks that the server has a time for, and so has saved. */
function saved(state, { signal_id, viewed_at, clicked_at }) {
  const id = String(signal_id);
  const waiting = state.unsaved[id];
  if (!waiting) return state;
  const left = {};
  if (waiting.viewed && !viewed_at) left.viewed = true;
  if (waiting.clicked && !clicked_at) left.clicked = true;
  if (Object.keys(left).length === Object.keys(waiting).length) return state;
  const others = without(state.unsaved, id);
  return { ...state, unsaved: Object.keys(left).length === 0 ? others : { ...others, [id]: left } };
}

function without(object, key) {
  const { [key]: _, ...rest } = object;
  return rest;
}

function pruned(signals, outcomes) {
  const ids = Object.keys(signals);
  // Not for each row beyond KEPT: a long catch-up would sort every time.
  if (ids.length <= KEPT + SPARE) return { signals, outcomes };
  const kept = newestFirst({ signals }).slice(0, KEPT);
  const of = (all) => Object.fromEntries(kept.filter((id) => id in all).map((id) => [id, all[id]]));
  return { signals: of(signals), outcomes: of(outcomes) };
}
