// Which view is shown, as the address names it: the signals, or the track record, which is read when
// it is looked at and again every minute while it is.

import { Refused } from './api.js';
import { setAttribute, setText } from './dom.js';
import { recordOf } from './record.js';

/** The service keeps a record for so long. */
const READ_EVERY = 60_000;

export class Views {
  #at;
  #api = null;
  #refused;
  #isRecord = false;
  #reads = null;
  #timer = null;
  /** The text of the record that is shown. */
  #shown = '';

  /**
   * @param {(id: string) => HTMLElement} at
   * @param {(error: Refused) => void} refused the service does not accept the token
   */
  constructor(at, refused) {
    this.#at = at;
    this.#refused = refused;
  }

  /** Somebody is signed in: shows what the address names. */
  enter(api) {
    this.leave();
    this.#api = api;
    setAttribute(this.#at('views'), 'hidden', false);
    this.route();
  }

  /** Nobody is signed in. */
  leave() {
    this.#stop();
    this.#api = null;
    this.#shown = '';
    this.#at('record-shown').replaceChildren();
    setText(this.#at('record-problem'), '');
    for (const id of ['views', 'signed-in', 'record']) setAttribute(this.#at(id), 'hidden', true);
  }

  /** The address has changed. */
  route() {
    if (this.#api === null) return;
    // The link that skips the head leads into the view that is shown.
    if (location.hash !== '#main') this.#isRecord = new URLSearchParams(location.hash.slice(1)).get('view') === 'record';
    const isRecord = this.#isRecord;
    setAttribute(this.#at('signed-in'), 'hidden', isRecord);
    setAttribute(this.#at('record'), 'hidden', !isRecord);
    setAttribute(this.#at('to-signals'), 'aria-current', isRecord ? null : 'page');
    setAttribute(this.#at('to-record'), 'aria-current', isRecord ? 'page' : null);
    if (!isRecord) this.#stop();
    else if (this.#reads === null) this.#begin();
  }

  /** Leaves the track record, for a signal that is to be shown. */
  showSignals() {
    if (!this.#isRecord) return;
    history.replaceState(null, '', '#view=signals');
    this.route();
  }

  #begin() {
    this.#reads = new AbortController();
    this.#read(this.#reads.signal);
    this.#timer = setInterval(() => document.hidden || this.#read(this.#reads.signal), READ_EVERY);
  }

  #stop() {
    this.#reads?.abort();
    this.#reads = null;
    clearInterval(this.#timer);
  }

  async #read(signal) {
    if (this.#shown === '') setText(this.#at('record-problem'), 'Reading the record.');
    try {
      const record = await this.#api.trackRecord(signal);
      if (signal.aborted) return;
      setText(this.#at('record-problem'), '');
      const { total, sides, symbols, days } = record;
      const text = JSON.stringify([total, sides, symbols, days]);
      // Written only when it changed: tables that are read, or scrolled, stay.
      if (text !== this.#shown) this.#at('record-shown').replaceChildren(...recordOf(record));
      this.#shown = text;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status === 401) this.#refused(error);
      const why = error instanceof Refused ? error.message : 'the service cannot be reached';
      setText(this.#at('record-problem'), `The record cannot be read at present: ${why}. It is tried again every minute.`);
    }
  }
}
