// The last known state of a subscriber, so that a reload shows it before anything is received.
//
// It is in localStorage, which can be read before the first paint. Where storage
// is forbidden or full, the page works and starts empty.

import { emptyState } from './store.js';

const PREFIX = 'signal_hub.state.1.';
const DELAY = 250;

export class Cache {
  #storage;
  #key;
  #state = null;
  #timer = null;

  constructor(storage, userId) {
    this.#storage = storage;
    this.#key = PREFIX + userId;
  }

  /** The state kept, or an empty one. */
  read() {
    try {
      const kept = JSON.parse(this.#storage.getItem(this.#key));
      const { signals, outcomes = {}, watermark, health, clockOffset, unsaved } = kept;
      return { ...emptyState(), signals, outcomes, watermark, health, clockOffset, unsaved };
    } catch {
      return emptyState();
    }
  }

  /** Keeps the state, soon: many changes are one write. */
  write(state) {
    this.#state = state;
    this.#timer ??= setTimeout(() => this.flush(), DELAY);
  }

  flush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#state === null) return;
    const { connection, prices, ...kept } = this.#state;
    this.#state = null;
    try {
      this.#storage.setItem(this.#key, JSON.stringify(kept));
    } catch {
      // Full or forbidden. An older state must not be taken for this one.
      this.#remove(this.#key);
    }
  }

  /** Drops what waits to be written. */
  close() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#state = null;
  }

  /** Removes the state of every subscriber but this one; says whether there was any. */
  static clear(storage, userId = null) {
    try {
      const others = Object.keys(storage).filter((key) => key.startsWith(PREFIX) && key !== PREFIX + userId);
      others.forEach((key) => storage.removeItem(key));
      return others.length > 0;
    } catch {
      // Forbidden: there is none.
      return false;
    }
  }

  #remove(key) {
    try {
      this.#storage.removeItem(key);
    } catch {
      // Forbidden: there is none.
    }
  }
}
