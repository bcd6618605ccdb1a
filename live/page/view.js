// The list of signals on the page. Only what changed is written: a card keeps its
// place and its focus, and stays open.

import { Card, sentence } from './card.js';
import { setAttribute, setText } from './dom.js';
import { outcomeSentence } from './outcome.js';
import { Seen } from './seen.js';
import { Status } from './status.js';
import { isPast } from './time.js';
import { newestFirst } from './store.js';

/** If more new signals than this come at once, only their number is read aloud. */
const READ_ALOUD = 2;
/** Cards that are built before the first paint; they fill most windows. */
const AT_ONCE = 8;

export class View {
  #document;
  #status;
  #seen;
  #cards = new Map();
  #shown = null;
  #now = 0;
  #later = null;
  #on;

  /**
   * @param {object} on
   * @param {(id: number) => void} on.viewed a signal was looked at
   * @param {(id: number) => void} on.clicked a signal was opened
   */
  constructor(document, on) {
    this.#document = document;
    this.#on = on;
    this.#status = new Status((id) => document.getElementById(id));
    this.#seen = new Seen((element) => on.viewed(Number(element.dataset.signalId)));
  }

  /** @param {number} now by the server's clock */
  render(state, now, localNow) {
    // The first read brings old signals.
    const isFresh = (this.#shown?.watermark ?? null) !== null;
    const hasChanged = this.#shown?.signals !== state.signals || this.#shown.outcomes !== state.outcomes;
    if (hasChanged) this.#renderCards(state, now, isFresh);
    this.#shown = state;
    this.#now = now;
    this.#status.show(state, now, localNow);
  }

  /** Shows the time that has passed. */
  tick(state, now, localNow) {
    for (const card of this.#cards.values()) card.tick(now);
    this.#status.show(state, now, localNow);
    this.#showTitle(state, now);
  }

  /** Reads new signals aloud, once. */
  announce(signals) {
    const words = signals.length > READ_ALOUD
      ? `${signals.length} new signals.`
      : signals.map((signal) => `New signal: ${sentence(signal)}`).join(' ');
    this.#readAloud(words);
  }

  /** Reads aloud what became of signals, once.
   * @param {[object, object][]} settled signals with their outcomes
   */
  announceSettled(settled, now) {
    this.#readAloud(settled.length > READ_ALOUD
      ? `${settled.length} signals were settled.`
      : settled.map(([signal, outcome]) => outcomeSentence(signal, outcome, now)).join(' '));
  }

  #readAloud(words) {
    // Replaced even if the words are the same, so that they are read again.
    this.#at('announcer').replaceChildren(words);
  }

  open(id) {
    // A link may name anything, also what every object has without being a signal ("constructor").
    const isKnown = Object.hasOwn(this.#shown?.signals ?? {}, id);
    while (isKnown && !this.#cards.has(String(id))) this.#renderRest();
    this.#cards.get(String(id))?.open();
  }

  clear() {
    for (const id of this.#cards.keys()) this.#remove(id);
    clearTimeout(this.#later);
    this.#later = null;
    this.#shown = null;
    setText(this.#at('announcer'), '');
    this.#document.title = 'Signals';
  }

  /** Starts with the newest. The rest of a long list is built a moment later. */
  #renderCards(state, now, isFresh) {
    const list = this.#at('list');
    const ids = newestFirst(state);
    for (const id of this.#cards.keys()) if (!(id in state.signals)) this.#remove(id);
    let next = list.firstChild;
    let left = AT_ONCE;
    for (const id of ids) {
      if (!this.#cards.has(id) && left-- === 0) {
        this.#later ??= setTimeout(() => this.#renderRest());
        break;
      }
      const { element } = this.#card(id, state, now, isFresh);
      if (element === next) next = next.nextSibling;
      else list.insertBefore(element, next);
    }
    setAttribute(this.#at('empty'), 'hidden', ids.length > 0);
    this.#showTitle(state, now);
  }

  #renderRest() {
    this.#later = null;
    if (this.#shown !== null) this.#renderCards(this.#shown, this.#now, false);
  }

  #card(id, { signals, outcomes }, now, isFresh) {
    const [signal, outcome] = [signals[id], outcomes[id]];
    const known = this.#cards.get(id);
    if (known) {
      known.update(signal, outcome, now);
      return known;
    }
    const card = new Card(signal, isFresh, this.#on.clicked);
    card.update(signal, outcome, now);
    card.tick(now);
    this.#cards.set(id, card);
    if (!signal.viewed) this.#seen.watch(card.element);
    return card;
  }

  #remove(id) {
    const { element } = this.#cards.get(id);
    this.#seen.forget(element);
    element.remove();
    this.#cards.delete(id);
  }

  #showTitle(state, now) {
    const count = Object.values(state.signals).filter((signal) => !signal.viewed && !isPast(signal.expires_at, now)).length;
    const title = count > 0 ? `(${count}) Signals` : 'Signals';
    if (this.#document.title !== title) this.#document.title = title;
  }

  #at(id) {
    return this.#document.getElementById(id);
  }
}
