// The part that is always in view: the connection, the last signal, the generator and its next run.

import { setAttribute, setText } from './dom.js';
import { showStanding } from './standing.js';
import { lastSignalAt } from './store.js';
import { age, countdown, isPast, wholeTime } from './time.js';

/** A report on the generator that is older than this is shown with its age. */
const STALE = 40_000;

/** The phase in a few words. It is read aloud when it changes, so it must not contain a countdown. */
export function phaseText({ phase, polling }) {
  if (phase === 'live') return 'Live';
  if (phase === 'connecting') return 'Connecting';
  return polling ? 'No live connection, reading every 5 s' : 'No connection';
}

/** Why, and when the next attempt is; empty while all is well. */
export function attemptText({ phase, reason, retryAt }, localNow) {
  if (phase !== 'waiting') return '';
  const left = retryAt - localNow;
  return `Connection: ${reason}; ${left > 0 ? `next attempt in ${countdown(left)}` : 'trying again'}`;
}

/**
 * @param {boolean} isHeard whether reports come, by a stream or by reading
 * @returns {{text: string, mood: 'good' | 'bad' | 'unknown'}} what is known of the generator
 */
export function generatorText(health, now, isHeard = true) {
  if (health === null) return { text: 'not known yet', mood: 'unknown' };
  if (!isHeard || now - Date.parse(health.server_time) > STALE) {
    return { text: `${health.state} (${age(health.server_time, now)})`, mood: 'unknown' };
  }
  return { text: health.state, mood: health.healthy ? 'good' : 'bad' };
}

export function nextRunText(health, now) {
  if (!health?.next_run) return 'none planned';
  return isPast(health.next_run, now) ? 'due' : `in ${countdown(Date.parse(health.next_run) - now)}`;
}

/** What the generator does now: at the time of a run it looks at the market. Without reports nobody knows. */
export function activityText(health, now, isHeard = true) {
  const text = nextRunText(health, now);
  if (text !== 'due') return text;
  if (!isHeard) return 'not known';
  return health.healthy ? 'looking at the market' : text;
}

export class Status {
  #at;

  /** @param {(id: string) => HTMLElement} at */
  constructor(at) {
    this.#at = at;
  }

  /** @param {number} now by the server's clock; localNow by this machine's */
  show(state, now, localNow) {
    const { connection, health } = state;
    setAttribute(this.#at('connection'), 'data-phase', connection.phase);
    setText(this.#at('connection-phase'), phaseText(connection));
    setText(this.#at('connection-attempt'), attemptText(connection, localNow));
    setAttribute(this.#at('connection-attempt-line'), 'hidden', connection.phase !== 'waiting');
    this.#showLastSignal(lastSignalAt(state), now);
    const isHeard = connection.phase === 'live' || Boolean(connection.polling);
    const generator = generatorText(health, now, isHeard);
    setAttribute(this.#at('generator'), 'data-mood', generator.mood);
    setText(this.#at('generator-state'), generator.text);
    // While it is healthy, the message is only the outcome of the last run.
    const isNews = health !== null && !health.healthy;
    setText(this.#at('generator-message'), isNews ? `Generator: ${health.message}` : '');
    setAttribute(this.#at('generator-message'), 'hidden', !isNews);
    setText(this.#at('next-run'), activityText(health, now, isHeard));
    setText(this.#at('connection-held'), state.held);
    // That signals are paused is said once.
    const isSaid = isNews && health.state === 'paused' && state.standing?.reason === 'paused';
    showStanding(this.#at('standing'), isSaid ? null : state.standing, Object.keys(state.signals).length > 0, now);
  }

  #showLastSignal(time, now) {
    setText(this.#at('last-signal'), time === null ? 'none yet' : age(time, now));
    setAttribute(this.#at('last-signal'), 'datetime', time);
    setAttribute(this.#at('last-signal'), 'title', time === null ? null : wholeTime(time));
  }
}
