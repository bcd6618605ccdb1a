// The form of the settings.

import { element, setAttribute, setText } from './dom.js';
import { decimal, time } from './format.js';

/** Languages to choose from; others are had by that of the browser. */
const LOCALES = [
  'ar-EG', 'cs-CZ', 'da-DK', 'de-CH', 'de-DE', 'en-GB', 'en-IN', 'en-US', 'es-ES', 'es-MX', 'fi-FI', 'fr-CH', 'fr-FR', 'hi-IN', 'id-ID', 'it-IT', 'ja-JP', 'ko-KR',
  'nb-NO', 'nl-NL', 'pl-PL', 'pt-BR', 'pt-PT', 'ru-RU', 'sv-SE', 'th-TH', 'tr-TR', 'uk-UA', 'vi-VN', 'zh-CN', 'zh-TW',
];
/** By id of the field: which setting it is. */
const CHOICES = { 'set-theme': 'theme', 'set-locale': 'locale', 'set-zone': 'timeZone' };
const SWITCHES = { 'set-sound': 'sound', 'set-signals': 'notifySignals', 'set-push': 'push', 'set-outcomes': 'notifyOutcomes', 'set-session': 'notifySession' };

export class SettingsView {
  #at;
  #settings;
  #preferences;
  #push;
  #isFilled = false;

  /**
   * @param {(id: string) => HTMLElement} at
   * @param {import('./settings.js').Settings} settings
   * @param {import('./preferences.js').Preferences} preferences the subscriber's, in the same view
   * @param {import('./push.js').Push} push
   */
  constructor(at, settings, preferences, push) {
    this.#push = push;
    this.#at = at;
    this.#settings = settings;
    this.#preferences = preferences;
    at('settings-form').addEventListener('submit', (event) => event.preventDefault());
    at('settings-form').addEventListener('change', ({ target }) => {
      if (target.id in CHOICES) settings.set(CHOICES[target.id], target.value);
      if (target.id in SWITCHES) settings.set(SWITCHES[target.id], target.checked);
    });
  }

  /** The view is shown. Hundreds of time zones are listed only then. */
  start(api) {
    if (!this.#isFilled) this.#fill();
    this.#isFilled = true;
    this.show();
    this.#preferences.start(api);
  }

  stop() {
    this.#preferences.stop();
  }

  /** Shows the settings as they are. */
  show() {
    if (!this.#isFilled) return;
    const { current } = this.#settings;
    for (const [id, name] of Object.entries(CHOICES)) this.#at(id).value = current[name];
    for (const [id, name] of Object.entries(SWITCHES)) this.#at(id).checked = current[name];
    setAttribute(this.#at('push-line'), 'hidden', !this.#push.isPossible);
    const moment = time(Date.now(), { dateStyle: 'medium', timeStyle: 'long' });
    setText(this.#at('settings-sample'), `Prices and times look like this: ${decimal('592.02')}, ${moment}.`);
    setText(this.#at('settings-permission'), permissionText());
  }

  #fill() {
    const names = new Intl.DisplayNames(undefined, { type: 'language' });
    const nameOf = (code) => names.of(code) ?? code;
    const options = (field, values, name) => this.#at(field).append(...values.map((value) => element('option', { value }, name(value))));
    options('set-locale', LOCALES.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)), nameOf);
    const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];
    for (const field of ['set-zone', 'want-zone']) options(field, zones, (zone) => zone.replaceAll('_', ' '));
  }
}

function permissionText() {
  if (!('Notification' in globalThis)) return 'This browser has no notifications.';
  return {
    granted: 'The browser allows notifications. They are shown while no tab of this page is in view.',
    denied: 'The browser does not allow notifications from this page; its own settings can change that.',
    default: 'The browser has not been asked yet: press "Notify me" at the top.',
  }[Notification.permission];
}
