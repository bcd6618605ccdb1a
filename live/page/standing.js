// Whether signals reach this subscriber, and why not, in the words of the database.

import { Refused } from './api.js';
import { setAttribute, setText } from './dom.js';

const READ_EVERY = 300_000;
/** Many subscribers connect, or get a signal, at the same moment: each asks at some time within this one. */
const SPREAD = 20_000;
const SOONEST = 300;

/** What the head says; empty where signals come. With no signal for a day, or none yet, it says that the next one will come. */
export function standingText(status, hasSignals) {
  if (status === null) return '';
  const { reason, message, quiet } = status;
  if (reason === 'ok' && hasSignals) return quiet ? 'your quiet hours keep notifications back.' : '';
  return String(message).replace(/\.?$/, '.');
}

export class Standing {
  #api;
  #on;
  #stopped = new AbortController();
  #timer = null;
  #soon = null;
  status = null;

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
      this.#on.changed();
    } catch (error) {
      // Without an answer what was known stays: it is no report on the connection.
      if (!this.#stopped.signal.aborted && error instanceof Refused && error.status === 401) this.#on.refused(error);
    }
  }

  stop() {
    this.#stopped.abort();
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
  }
}

/** Writes the line of the head. */
export function showStanding(line, status, hasSignals) {
  const text = standingText(status, hasSignals);
  setText(line, text === '' ? '' : `Your signals: ${text}`);
  setAttribute(line, 'hidden', text === '');
}
