// The signals on the page. Only what changed is written: a row keeps its place and its focus, and stays
// open.

import { Card, sentence } from './card.js';
import { setAttribute, setText } from './dom.js';
import { arrange } from './filter.js';
import { Filters } from './filters.js';
import { List } from './list.js';
import { count } from './numbers.js';
import { outcomeSentence } from './outcome.js';
import { Seen } from './seen.js';
import { Status } from './status.js';
import { isPast } from './time.js';

/** If more new signals than this come at once, only their number is read aloud. */
const READ_ALOUD = 2;
/** The title changes after the frame that shows a signal: to tell the browser takes milliseconds. */
const TITLE_AFTER = 100;

export class View {
  #document;
  #head;
  #status;
  #seen;
  #list;
  #filters;
  #shown = null;
  #isFresh = false;
  #openId = null;
  #title = null;
  #now = 0;
  #on;

  /**
   * @param {object} on
   * @param {(id: number) => void} on.viewed a signal was looked at
   * @param {(id: number) => void} on.clicked a signal was opened
   * @param {(id: number) => Promise<object>} on.path reads the way of the price of a signal
   * @param {() => void} on.nearEnd older signals than those at hand are looked for
   */
  constructor(document, on) {
    this.#document = document;
    this.#on = on;
    this.#head = document.querySelector('.top');
    this.#status = new Status((id) => document.getElementById(id));
    this.#seen = new Seen((element) => on.viewed(Number(element.dataset.signalId)));
    this.#list = new List(
      { list: this.#at('list'), before: this.#at('list-before'), after: this.#at('list-after') },
      {
        make: (id) => this.#card(id),
        removed: (_, card) => this.#seen.forget(card.element),
        nearEnd: () => this.#shown?.hasMore && this.#shown.older.phase === 'idle' && on.nearEnd(),
      },
    );
    this.#filters = new Filters((id) => this.#at(id), () => this.#filtered());
    this.#at('older-again').addEventListener('click', () => on.nearEnd());
    document.addEventListener('keydown', (event) => event.key === 'Escape' && this.#openId !== null && this.#close());
    // What lies below the head, which grows when it has something to say.
    new ResizeObserver(() => this.#measureHead()).observe(this.#head);
  }

  /** Every element is styled again when this changes, so it is known before there are rows. */
  #measureHead() {
    const height = `${this.#head.getBoundingClientRect().height}px`;
    const { style } = this.#document.documentElement;
    if (style.getPropertyValue('--head') !== height) style.setProperty('--head', height);
  }

  /** Shows the state without its signals, which take longer. @param {number} now by the server's clock */
  showStatus(state, now, localNow) {
    this.#status.show(state, now, localNow);
  }

  /** @param {number} now by the server's clock */
  render(state, now, localNow) {
    // The first read brings old signals.
    const isFresh = (this.#shown?.watermark ?? null) !== null;
    const hasChanged = this.#shown?.signals !== state.signals || this.#shown.outcomes !== state.outcomes || this.#shown.older !== state.older
      || this.#shown.standing?.entitled !== state.standing?.entitled;
    const arePricesNew = this.#shown?.prices !== state.prices;
    const isFirst = this.#shown === null;
    this.#shown = state;
    this.#now = now;
    if (isFirst) {
      this.#status.show(state, now, localNow);
      this.#measureHead();
    }
    if (hasChanged) this.#renderCards(isFresh);
    if (arePricesNew) for (const [id, card] of this.#list.built) card.showPrice(this.#price(id), now);
    // Read on until nothing is missing in what is asked for.
    if (hasChanged && this.#isIncomplete() && state.older.phase === 'idle') this.#on.nearEnd();
    this.#status.show(state, now, localNow);
  }

  /** Shows the time that has passed. */
  tick(state, now, localNow) {
    this.#now = now;
    // A signal that expires is no longer open.
    if (this.#filters.current.state !== '') this.#renderCards(false);
    for (const card of this.#list.built.values()) card.tick(now);
    this.#status.show(state, now, localNow);
    if (this.#title === null) this.#showTitle(state, now);
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

  /** Opens a signal and brings it into view; says whether it is known. A link may name anything. */
  open(id) {
    if (!this.#isKnown(id)) return false;
    if (!this.#list.has(String(id))) this.#filters.reset();
    if (this.#openId === String(id)) return true;
    this.#list.reveal(String(id));
    this.#setOpen(String(id));
    const card = this.#list.built.get(String(id));
    card?.element.scrollIntoView({ block: 'nearest' });
    card?.focus();
    return true;
  }

  /** The address has changed. */
  route() {
    this.#filters.route();
  }

  /** Makes all rows anew: the form of numbers or times has changed. */
  redraw() {
    if (this.#shown === null) return;
    this.#list.clear();
    this.#renderCards(false);
    this.#list.keepOpen(this.#openId);
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
    this.#filters.opened(id);
    if (id !== null) this.#on.clicked(Number(id));
  }

  #renderCards(isFresh) {
    const { signals, older } = this.#shown;
    this.#isFresh = isFresh;
    if (this.#openId !== null && !this.#isKnown(this.#openId)) this.#setOpen(null);
    const known = [...Object.keys(signals), ...Object.keys(older.signals).filter((id) => !(id in signals))];
    const ids = arrange(known, (id) => this.#signal(id), (id) => this.#outcome(id), this.#filters.current, this.#now);
    this.#list.set(ids);
    for (const [id, card] of this.#list.built) card.update(this.#signal(id), this.#outcome(id), this.#now);
    this.#isFresh = false;
    this.#filters.offer(known.map((id) => this.#signal(id).symbol));
    this.#showEnd(ids.length, known.length);
    if (isFresh) this.#title ??= setTimeout(() => this.#showTitle(this.#shown, this.#now), TITLE_AFTER);
    else this.#showTitle(this.#shown, this.#now);
  }

  /** What is listed, of what, and whether there is more. */
  #showEnd(listed, known) {
    const { hasMore, older, standing } = this.#shown;
    setAttribute(this.#at('empty'), 'hidden', known > 0);
    setText(this.#at('empty'), `No signal yet${standing?.entitled === false ? ', and none comes at present: the reason is above.' : '. The next one appears here by itself.'}`);
    setAttribute(this.#at('browse'), 'hidden', known === 0);
    setAttribute(this.#at('no-match'), 'hidden', listed > 0 || known === 0 || hasMore);
    this.#filters.count(listed, known, hasMore);
    const words = {
      reading: 'Reading older signals.',
      failed: `Older signals cannot be read at present: ${older.why}.`,
      whole: 'These are all signals that are kept.',
      full: `These are the newest ${count(known)} signals; older ones are not listed.`,
    };
    setText(this.#at('older-words'), words[older.phase] ?? '');
    setAttribute(this.#at('older-again'), 'hidden', older.phase !== 'failed');
    setAttribute(this.#at('older'), 'hidden', !(older.phase in words));
  }

  #filtered() {
    if (this.#shown === null) return;
    if (this.#openId !== null) this.#setOpen(null);
    this.#renderCards(false);
    // What is asked for may be older than what is at hand.
    if (this.#isIncomplete() && this.#shown.older.phase !== 'reading') this.#on.nearEnd();
  }

  /** Whether older signals change what is listed, wherever the list is scrolled to. */
  #isIncomplete() {
    return this.#shown.hasMore && (this.#filters.leavesOut || this.#filters.current.sort !== 'newest');
  }

  #isKnown(id) {
    const { signals, older } = this.#shown ?? { signals: {}, older: { signals: {} } };
    return Object.hasOwn(signals, id) || Object.hasOwn(older.signals, id);
  }

  #signal(id) {
    return this.#shown.signals[id] ?? this.#shown.older.signals[id];
  }

  #outcome(id) {
    return this.#shown.outcomes[id] ?? this.#shown.older.outcomes[id];
  }

  #price(id) {
    const { symbol } = this.#signal(id);
    return Object.hasOwn(this.#shown.prices, symbol) ? this.#shown.prices[symbol] : undefined;
  }

  #card(id) {
    const [signal, outcome] = [this.#signal(id), this.#outcome(id)];
    const card = new Card(signal, this.#isFresh, { toggled: (which) => this.#toggle(String(which)), path: this.#on.path });
    card.update(signal, outcome, this.#now);
    card.showPrice(this.#price(id), this.#now);
    card.tick(this.#now);
    if (id === this.#openId) card.setOpen(true, this.#now);
    if (!signal.viewed) this.#seen.watch(card.element);
    return card;
  }

  #showTitle(state, now) {
    this.#title = null;
    if (state === null) return;
    const count = Object.values(state.signals).filter((signal) => !signal.viewed && !isPast(signal.expires_at, now)).length;
    const title = count > 0 ? `(${count}) Signals` : 'Signals';
    if (this.#document.title !== title) this.#document.title = title;
  }

  #at(id) {
    return this.#document.getElementById(id);
  }
}
