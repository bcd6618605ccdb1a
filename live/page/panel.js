// A view that reads something from the service when it is looked at, and again from time to time while it
// is.

import { Refused } from './api.js';
import { setText } from './dom.js';

export class Panel {
  #elements;
  #what;
  #every;
  #read;
  #draw;
  #refused;
  #api = null;
  #reads = null;
  #timer = null;
  /** The read that is under way; one after the other. */
  #turn = null;
  /** What is shown, and its text. */
  #shown = null;
  #text = '';

  /**
   * @param {object} options
   * @param {{shown: HTMLElement, problem: HTMLElement}} options.elements
   * @param {string} options.what it shows, with its article: "the record"
   * @param {number} options.every milliseconds between two reads
   * @param {(api: import('./api.js').Api, signal: AbortSignal) => Promise<object>} options.read
   * @param {(answer: object) => Node[]} options.draw
   * @param {(error: Refused) => void} options.refused the service does not accept the token
   */
  constructor({ elements, what, every, read, draw, refused }) {
    [this.#elements, this.#what, this.#every, this.#read, this.#draw, this.#refused] = [elements, what, every, read, draw, refused];
  }

  start(api) {
    if (this.#reads !== null) return;
    this.#api = api;
    this.#reads = new AbortController();
    this.#begin();
    this.#timer = setInterval(() => document.hidden || this.#turn !== null || this.#begin(), this.#every);
  }

  stop() {
    this.#reads?.abort();
    [this.#reads, this.#turn] = [null, null];
    clearInterval(this.#timer);
  }

  /** Forgets what is shown. */
  clear() {
    this.stop();
    [this.#shown, this.#text] = [null, ''];
    this.#elements.shown.replaceChildren();
    setText(this.#elements.problem, '');
  }

  /** Reads what is so now, because something was done: what is under way may have been read before that. */
  refresh() {
    return this.#reads === null ? undefined : this.#begin();
  }

  /** Draws the same again: the form of numbers has changed. */
  redraw() {
    if (this.#shown !== null) this.#elements.shown.replaceChildren(...this.#draw(this.#shown));
  }

  #begin() {
    const { signal } = this.#reads;
    const turn = this.#turn === null ? this.#again(signal) : this.#turn.then(() => this.#again(signal));
    this.#turn = turn;
    return turn.finally(() => {
      if (this.#turn === turn) this.#turn = null;
    });
  }

  async #again(signal) {
    if (signal.aborted) return;
    if (this.#shown === null) setText(this.#elements.problem, `Reading ${this.#what}.`);
    try {
      const answer = await this.#read(this.#api, signal);
      if (signal.aborted) return;
      setText(this.#elements.problem, '');
      const text = JSON.stringify(answer);
      this.#shown = answer;
      // Written only when it changed: tables that are read, or scrolled, stay.
      if (text !== this.#text) this.redraw();
      this.#text = text;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status === 401) this.#refused(error);
      const why = error instanceof Refused ? error.message : 'the service cannot be reached';
      const words = `${this.#what[0].toUpperCase()}${this.#what.slice(1)} cannot be read at present: ${why}.`;
      setText(this.#elements.problem, `${words} It is tried again every ${this.#every === 60_000 ? 'minute' : `${this.#every / 1_000} s`}.`);
    }
  }
}
