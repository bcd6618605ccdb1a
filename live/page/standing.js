// Whether signals reach this subscriber, and why not, in the words of the database.

import { Refused } from './api.js';
import { setAttribute, setText } from './dom.js';

const READ_EVERY = 300_000;
/** Many subscribers connect, or get a signal, at the same moment: each asks at some time within this one. */
const SPREAD = 20_000;
const SOONEST = 300;
/** The first answer is asked for again after this. */
const AGAIN_AFTER = 5_000;

/** What the head says; empty where signals come. With no signal for a day, or none yet, it says that the next one will come. */
export function standingText(status, hasSignals, now) {
  if (status === null) return '';
  const { reason, message } = status;
  if (reason === 'ok' && hasSignals) return isQuiet(status, now) ? 'your quiet hours keep notifications back.' : '';
  return String(message).replace(/\.?$/, '.');
}

/** Whether quiet hours keep notifications back at a time. They begin and end between two readings. */
export function isQuiet({ quiet, quiet_hours }, now) {
  if (!quiet_hours) return quiet;
  const { from, until, time_zone } = quiet_hours;
  try {
    const time = new Intl.DateTimeFormat('en-GB', { timeZone: time_zone, timeStyle: 'medium', hourCycle: 'h23' }).format(now);
    return from < until ? from <= time && time < until : from <= time || time < until;
  } catch {
    // A zone that the database knows and this browser does not.
    return quiet;
  }
}

export class Standing {
  #api;
  #on;
  #stopped = new AbortController();
  #timer = null;
  #soon = null;
  #known;
  status = null;
  /** Kept when `status` was read first. */
  known = new Promise((resolve) => { this.#known = resolve; });

  /**
   * @param {import('./api.js').Api} api
   * @param {object} on
   * @param {() => void} on.changed `status` was read
   * @param {(error: Refused) => void} on.refused the service does not accept the token
   * @param {() => boolean} on.isNeeded whether somebody looks at this tab, or it decides for others
   */
  constructor(api, on) {
    this.#api = api;
    this.#on = on;
    this.#timer = setInterval(() => on.isNeeded() && this.read(), READ_EVERY);
  }

  /** Reads soon: at once for the first time, later where others do the same. */
  readSoon() {
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => this.read(), SOONEST + (this.status === null ? 0 : Math.random() * SPREAD));
  }

  /** Reads now, because preferences have changed. */
  async read() {
    try {
      const status = await this.#api.status(this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
      this.status = status;
      this.#known();
      this.#on.changed();
    } catch (error) {
      // Without an answer what was known stays: it is no report on the connection.
      if (this.#stopped.signal.aborted) return;
      if (error instanceof Refused && error.status === 401) this.#on.refused(error);
      else if (this.status === null) this.#soon = setTimeout(() => this.read(), AGAIN_AFTER);
    }
  }

  stop() {
    this.#stopped.abort();
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
  }
}

/** Writes the line of the head. */
export function showStanding(line, status, hasSignals, now) {
  const text = standingText(status, hasSignals, now);
  setText(line, text === '' ? '' : `Your signals: ${text}`);
  setAttribute(line, 'hidden', text === '');
}
