// Reads every few seconds while there is no stream.

import { Refused } from './api.js';
import { actionsOfPage } from './events.js';

/** Between two reads. */
const POLL_EVERY = 5_000;
/** Rows asked for at once. */
export const PAGE = 200;

export class Polling {
  #api;
  #watermark;
  #open;
  #on;
  #timer = null;
  #reads = null;

  /**
   * @param {import('./api.js').Api} api
   * @param {() => string | null} watermark the last resume point received
   * @param {() => string[]} open ids of the signals whose outcome is not known for good
   * @param {object} on
   * @param {(actions: object[]) => void} on.actions something was read
   * @param {(error: Refused) => void} on.refused the service does not accept the token
   * @param {(succeeded: boolean) => void} on.ended a read has ended
   */
  constructor(api, watermark, open, on) {
    this.#api = api;
    this.#watermark = watermark;
    this.#open = open;
    this.#on = on;
  }

  /** Says whether it was stopped before. */
  start() {
    if (this.#timer !== null) return false;
    this.#reads = new AbortController();
    this.#timer = setInterval(() => this.#read(this.#reads.signal), POLL_EVERY);
    return true;
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#reads?.abort();
  }

  async #read(signal) {
    try {
      const health = await this.#api.health(signal);
      let page;
      do {
        page = await this.#api.signals(this.#watermark(), this.#open(), PAGE, signal);
        if (signal.aborted) return;
        this.#on.actions(actionsOfPage(page));
      } while (page.more);
      this.#on.actions([{ type: 'health', health }]);
      this.#on.ended(true);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status === 401) this.#on.refused(error);
      this.#on.ended(false);
    }
  }
}
