// Which view is shown, as the address names it.

import { setAttribute } from './dom.js';

/** By name in the address: the section of the page, and the link to it. */
const VIEWS = {
  signals: ['signed-in', 'to-signals'],
  record: ['record', 'to-record'],
  settings: ['settings', 'to-settings'],
};

export class Views {
  #at;
  #panels;
  #api = null;
  #name = 'signals';

  /**
   * @param {(id: string) => HTMLElement} at
   * @param {Record<string, {start: (api: object) => void, stop: () => void, clear?: () => void}>} panels by name: what runs while the view is shown
   */
  constructor(at, panels) {
    this.#at = at;
    this.#panels = panels;
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
    this.#api = null;
    for (const panel of Object.values(this.#panels)) {
      panel.stop();
      panel.clear?.();
    }
    for (const [section] of Object.values(VIEWS)) setAttribute(this.#at(section), 'hidden', true);
    setAttribute(this.#at('views'), 'hidden', true);
  }

  /** The address has changed. */
  route() {
    if (this.#api === null) return;
    // The link that skips the head leads into the view that is shown.
    if (location.hash !== '#main') {
      const wanted = new URLSearchParams(location.hash.slice(1)).get('view');
      this.#name = Object.hasOwn(VIEWS, wanted) ? wanted : 'signals';
    }
    for (const [name, [section, link]] of Object.entries(VIEWS)) {
      setAttribute(this.#at(section), 'hidden', name !== this.#name);
      setAttribute(this.#at(link), 'aria-current', name === this.#name ? 'page' : null);
      if (name === this.#name) this.#panels[name]?.start(this.#api);
      else this.#panels[name]?.stop();
    }
  }

  /** Leaves another view, for a signal that is to be shown. */
  showSignals() {
    if (this.#name === 'signals') return;
    history.replaceState(null, '', '#view=signals');
    this.route();
  }
}
