// Writes marks back, one after the other; those that fail wait for the next connection.

import { Refused } from './api.js';

export class MarkSaver {
  #api;
  #on;
  #isSaving = false;

  /**
   * @param {import('./api.js').Api} api
   * @param {object} on
   * @param {() => [string, object] | undefined} on.next id and marks of the next signal to save
   * @param {(action: object) => void} on.saved takes the action that says so to the store
   * @param {(error: Refused) => void} on.refused the service does not accept the token
   */
  constructor(api, on) {
    this.#api = api;
    this.#on = on;
  }

  async save() {
    if (this.#isSaving) return;
    this.#isSaving = true;
    try {
      for (let next; (next = this.#on.next());) this.#on.saved(await this.#saveOne(...next));
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.#on.refused(error);
    } finally {
      this.#isSaving = false;
    }
  }

  async #saveOne(id, marks) {
    try {
      return { type: 'mark', mark: await this.#api.mark(id, marks) };
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return { type: 'unsavable', signal_id: id };
      throw error;
    }
  }
}
