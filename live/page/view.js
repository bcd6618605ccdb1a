// The signals on the page. Only what changed is written: a row keeps its place and its focus, and stays
// open.

import { Card, sentence } from './card.js';
import { setAttribute, setText } from './dom.js';
import { List } from './list.js';
import { outcomeSentence } from './outcome.js';
import { Seen } from './seen.js';
import { Status } from './status.js';
import { isPast } from './time.js';
import { newestFirst } from './store.js';

/** If more new signals than this come at once, only their number is read aloud. */
const READ_ALOUD = 2;

export class View {
  #document;
  #status;
  #seen;
  #list;
  #shown = null;
  #isFresh = false;
  #openId = null;
  #now = 0;
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
    this.#list = new List(
      { list: this.#at('list'), before: this.#at('list-before'), after: this.#at('list-after') },
      { make: (id) => this.#card(id), removed: (_, card) => this.#seen.forget(card.element) },
    );
    document.addEventListener('keydown', (event) => event.key === 'Escape' && this.#openId !== null && this.#close());
    // What lies below the head, which grows when it has something to say.
    new ResizeObserver(([head]) => {
      document.documentElement.style.setProperty('--head', `${head.borderBoxSize[0].blockSize}px`);
    }).observe(document.querySelector('.top'));
  }

  /** @param {number} now by the server's clock */
  render(state, now, localNow) {
    // The first read brings old signals.
    const isFresh = (this.#shown?.watermark ?? null) !== null;
    const hasChanged = this.#shown?.signals !== state.signals || this.#shown.outcomes !== state.outcomes;
    this.#shown = state;
    this.#now = now;
    if (hasChanged) this.#renderCards(isFresh);
    this.#status.show(state, now, localNow);
  }

  /** Shows the time that has passed. */
  tick(state, now, localNow) {
    this.#now = now;
    for (const card of this.#list.built.values()) card.tick(now);
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

  /** Opens a signal and brings it into view, if it is known. A link may name anything. */
  open(id) {
    if (!this.#list.has(String(id))) return;
    this.#list.reveal(String(id));
    this.#setOpen(String(id));
    const card = this.#list.built.get(String(id));
    card?.element.scrollIntoView({ block: 'nearest' });
    card?.focus();
  }

  clear() {
    this.#list.clear();
    this.#shown = null;
    this.#openId = null;
    setText(this.#at('announcer'), '');
    this.#document.title = 'Signals';
  }

  #toggle(id) {
    if (this.#openId === id) this.#close();
    else this.#setOpen(id);
  }

  #close() {
    const card = this.#list.built.get(this.#openId);
    const hadFocus = card?.element.contains(this.#document.activeElement);
    this.#setOpen(null);
    if (hadFocus) card.focus();
  }

  #setOpen(id) {
    if (this.#openId === id) return;
    this.#list.built.get(this.#openId)?.setOpen(false, this.#now);
    this.#openId = id;
    this.#list.built.get(id)?.setOpen(true, this.#now);
    setAttribute(this.#at('hint'), 'hidden', id !== null);
    this.#list.keepOpen(id);
    if (id !== null) this.#on.clicked(Number(id));
  }

  #renderCards(isFresh) {
    const state = this.#shown;
    this.#isFresh = isFresh;
    if (this.#openId !== null && !(this.#openId in state.signals)) this.#setOpen(null);
    const ids = newestFirst(state);
    this.#list.set(ids);
    for (const [id, card] of this.#list.built) card.update(state.signals[id], state.outcomes[id], this.#now);
    this.#isFresh = false;
    setAttribute(this.#at('empty'), 'hidden', ids.length > 0);
    setAttribute(this.#at('browse'), 'hidden', ids.length === 0);
    this.#showTitle(state, this.#now);
  }

  #card(id) {
    const { signals, outcomes } = this.#shown;
    const card = new Card(signals[id], this.#isFresh, { toggled: (which) => this.#toggle(String(which)) });
    card.update(signals[id], outcomes[id], this.#now);
    card.tick(this.#now);
    if (id === this.#openId) card.setOpen(true, this.#now);
    if (!signals[id].viewed) this.#seen.watch(card.element);
    return card;
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
