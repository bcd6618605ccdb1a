// Times as people read them. All are in milliseconds, by the server's clock unless a name says otherwise.

import { time } from './format.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What to add to this machine's clock to get the server's. */
export function clockOffset(serverTime, receivedAt) {
  const server = Date.parse(serverTime);
  return Number.isNaN(server) ? undefined : server - receivedAt;
}

/** A length of time in at most two units, rounded down: "3 h 59 min". */
export function duration(milliseconds) {
  const ms = Math.max(0, milliseconds);
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return two(Math.floor(ms / HOUR), 'h', Math.floor((ms % HOUR) / MINUTE), 'min');
  return two(Math.floor(ms / DAY), 'd', Math.floor((ms % DAY) / HOUR), 'h');
}

function two(large, largeUnit, small, smallUnit) {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** "3 min ago"; a time slightly in the future, because clocks differ, is "just now". */
export function age(then, now) {
  const ms = now - Date.parse(then);
  if (Number.isNaN(ms)) return '';
  return ms < SECOND ? 'just now' : `${duration(ms)} ago`;
}

export function isPast(then, now) {
  return Date.parse(then) <= now;
}

/** Since when a signal was open that came late, to somebody who was not entitled before; null for others. */
export function openSince({ metadata }) {
  const since = metadata?.late === true ? metadata.openSince : null;
  return typeof since === 'string' && !Number.isNaN(Date.parse(since)) ? since : null;
}

/** "expires in 3 h 59 min", "expired 2 min ago". */
export function expiry(then, now) {
  const ms = Date.parse(then) - now;
  if (Number.isNaN(ms)) return '';
  if (ms <= 0) return -ms < SECOND ? 'expired' : `expired ${duration(-ms)} ago`;
  return `expires in ${countdown(ms)}`;
}

/** Time left, rounded up, with seconds in the last hour: it shows 0 s only when no time is left. */
export function countdown(milliseconds) {
  const ms = Math.ceil(Math.max(0, milliseconds) / SECOND) * SECOND;
  if (ms < MINUTE || ms >= HOUR) return duration(ms);
  const seconds = (ms % MINUTE) / SECOND;
  return two(Math.floor(ms / MINUTE), 'min', seconds, 's');
}

/** Date and time in the reader's time zone, for a tooltip or details. */
export function wholeTime(then) {
  const moment = Date.parse(then);
  if (Number.isNaN(moment)) return '';
  return time(moment, { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit', second: '2-digit' });
}
