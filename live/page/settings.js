// What a reader chose for this browser: looks, form of numbers and times, sound, which notifications.

import { setAttribute } from './dom.js';
import { setFormat } from './format.js';

const KEY = 'signal_hub.settings';
const DEFAULTS = { theme: 'system', locale: '', timeZone: '', sound: false, notifySignals: true, push: true, notifyOutcomes: false, notifySession: true };
const THEMES = ['system', 'light', 'dark'];

/** Settings from a text that was kept, which may be of another version or no settings at all. */
export function settingsOf(text) {
  let kept;
  try {
    kept = JSON.parse(text);
  } catch {
    kept = null;
  }
  const settings = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS)) {
    if (typeof kept?.[name] === typeof DEFAULTS[name]) settings[name] = kept[name];
  }
  if (!THEMES.includes(settings.theme)) settings.theme = DEFAULTS.theme;
  return settings;
}

export class Settings {
  #storage;
  #changed;
  current;

  /**
   * @param {Storage | null} storage
   * @param {(settings: object) => void} changed after a change, here or in another tab
   */
  constructor(storage, changed) {
    this.#storage = storage;
    this.#changed = changed;
    this.current = settingsOf(this.#read());
    this.#apply();
    addEventListener('storage', ({ key }) => {
      if (key === KEY) this.#take(settingsOf(this.#read()));
    });
  }

  /** Changes one and keeps all. */
  set(name, value) {
    const next = settingsOf(JSON.stringify({ ...this.current, [name]: value }));
    try {
      this.#storage.setItem(KEY, JSON.stringify(next));
    } catch {
      // Full or forbidden: it lasts as long as the page.
    }
    this.#take(next);
  }

  #take(settings) {
    this.current = settings;
    this.#apply();
    this.#changed(settings);
  }

  #apply() {
    const { theme } = this.current;
    setAttribute(document.documentElement, 'data-theme', theme === 'system' ? null : theme);
    setFormat(this.current);
  }

  #read() {
    try {
      return this.#storage.getItem(KEY);
    } catch {
      return null;
    }
  }
}
