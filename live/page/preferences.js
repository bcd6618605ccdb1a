// What the subscriber wants of the signals: kept in the database, in force on every device and for every
// way in which signals are delivered.

import { Refused } from './api.js';
import { setAttribute, setText } from './dom.js';

/** By id of the field: which preference it is. */
const LISTS = { 'want-only': 'only_symbols', 'want-not': 'not_symbols', 'want-strategies': 'strategies' };
const NUMBERS = { 'want-confidence': 'min_confidence', 'want-quality': 'min_quality', 'want-most': 'max_per_day' };

/** Preferences from what the fields say; null where nothing is said. */
export function preferencesOf(fields) {
  const list = (text) => text.split(/[\s,;]+/).filter(Boolean);
  const upper = (items) => items.map((item) => item.toUpperCase());
  const orNull = (items) => (items.length > 0 ? items : null);
  const numberOf = (text) => (text.trim() === '' ? null : Number(text));
  const isQuiet = fields['want-from'] !== '' && fields['want-until'] !== '';
  return {
    only_symbols: orNull(upper(list(fields['want-only']))),
    not_symbols: orNull(upper(list(fields['want-not']))),
    strategies: orNull(list(fields['want-strategies'])),
    sides: fields['want-side'] === '' ? null : [fields['want-side']],
    ...Object.fromEntries(Object.entries(NUMBERS).map(([id, name]) => [name, numberOf(fields[id])])),
    quiet_from: isQuiet ? fields['want-from'] : null,
    quiet_until: isQuiet ? fields['want-until'] : null,
    time_zone: isQuiet ? fields['want-zone'] : null,
  };
}

/** What the fields say for preferences. */
export function fieldsOf(preferences, zone) {
  const fields = {};
  for (const [id, name] of Object.entries(LISTS)) fields[id] = (preferences[name] ?? []).join(', ');
  for (const [id, name] of Object.entries(NUMBERS)) fields[id] = preferences[name] === null || preferences[name] === undefined ? '' : String(Number(preferences[name]));
  const sides = preferences.sides ?? [];
  return {
    ...fields,
    'want-side': sides.length === 1 ? sides[0] : '',
    // Without seconds, as fields for times have them.
    'want-from': (preferences.quiet_from ?? '').slice(0, 5),
    'want-until': (preferences.quiet_until ?? '').slice(0, 5),
    'want-zone': preferences.time_zone ?? zone,
  };
}

export class Preferences {
  #at;
  #on;
  #api = null;
  #reads = null;

  /**
   * @param {(id: string) => HTMLElement} at
   * @param {object} on
   * @param {(error: Refused) => void} on.refused the service does not accept the token
   * @param {() => void} on.saved
   */
  constructor(at, on) {
    this.#at = at;
    this.#on = on;
    at('preferences').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
  }

  /** The view is shown. */
  async start(api) {
    if (this.#reads !== null) return;
    this.#api = api;
    this.#reads = new AbortController();
    await this.#exchange('Reading your preferences.', (signal) => api.preferences(signal), '');
  }

  stop() {
    this.#reads?.abort();
    this.#reads = null;
  }

  #save() {
    const ids = Object.keys(fieldsOf({}, ''));
    const fields = Object.fromEntries(ids.map((id) => [id, this.#at(id).value]));
    return this.#exchange('Saving.', (signal) => this.#api.setPreferences(preferencesOf(fields), signal), 'Saved. This holds on all your devices.');
  }

  async #exchange(before, ask, after) {
    const { signal } = this.#reads;
    setText(this.#at('want-said'), before);
    setAttribute(this.#at('want-save'), 'disabled', true);
    try {
      const preferences = await ask(signal);
      if (signal.aborted) return;
      const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
      for (const [id, value] of Object.entries(fieldsOf(preferences, zone))) this.#at(id).value = value;
      setText(this.#at('want-said'), after);
      setAttribute(this.#at('want-save'), 'disabled', false);
      if (after !== '') this.#on.saved();
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status === 401) this.#on.refused(error);
      setText(this.#at('want-said'), `Not done: ${error instanceof Refused ? error.message : 'the service cannot be reached'}.`);
      setAttribute(this.#at('want-save'), 'disabled', false);
    }
  }
}
