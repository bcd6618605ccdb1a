// Everything that runs while a subscriber is signed in: joins stream, store, view, cache and the other tabs.

import { Archive } from './archive.js';
import { Cache } from './cache.js';
import { ConnectionLog } from './connection_log.js';
import { isFinal } from './final.js';
import { Tabs } from './leader.js';
import { MarkSaver } from './marks.js';
import { outcomeSentence } from './outcome.js';
import { Presence } from './presence.js';
import { Standing, isQuiet } from './standing.js';
import { reduce, unsettled } from './store.js';
import { Stream } from './stream.js';
import { isPast } from './time.js';

/** How long the page waits for the stream to be live before it builds the cached signals. */
const LIVE_WITHIN = 40;

/** Whether the service answers: a stream is live, or the last read without one succeeded. */
const isReached = ({ connection: { phase, polling } }) => phase === 'live' || polling;

export class Subscriber {
  #state;
  #cache;
  #api;
  #archive;
  #standing;
  #presence;
  #log = new ConnectionLog(Date.now());
  #tabs;
  #stream;
  #saver;
  #view;
  #notifier;
  #sound;
  #on;
  #isOver = false;
  /**
   * Whether this tab has all signals up to its resume point. One that follows and has not had the
   * leader's state since it began or was frozen may lack some.
   */
  #isComplete = false;
  /** False until enter() has waited; nothing is shown before. */
  #isShown = false;
  #becameLive = () => {};
  #begun;
  #timer = null;

  /**
   * @param {object} parts session, api, storage, view, notifier, sound, isVisible, and `begun`, see start.js
   * @param {object} on
   * @param {(error: import('./api.js').Refused) => void} on.refused the service does not accept the token
   * @param {() => void} on.connected a stream is live, in this tab or the leading one
   */
  constructor({ session, api, storage, view, notifier, sound, isVisible, begun }, on) {
    this.#view = view;
    this.#notifier = notifier;
    this.#sound = sound;
    this.#on = on;
    this.#begun = begun;
    this.#api = api;
    this.#cache = new Cache(storage, session.userId);
    this.#state = begun?.state ?? this.#cache.read();
    this.#archive = new Archive(api, () => this.#state, { changed: () => this.#render(), refused: (error) => this.#isOver || on.refused(error) });
    this.#standing = new Standing(api, {
      changed: () => this.#render(),
      refused: (error) => this.#isOver || on.refused(error),
      isNeeded: () => isVisible() || this.#tabs.leads,
    });
    this.#presence = new Presence(api, isVisible);
    this.#stream = new Stream({
      api,
      watermark: () => this.#state.watermark,
      open: () => unsettled(this.#state),
      emit: (actions) => this.#apply(actions, true),
      refused: on.refused,
      isVisible,
      opened: (stream) => this.#presence.opened(stream),
      begun,
    });
    this.#tabs = new Tabs(session.userId, {
      lead: () => this.#lead(),
      follow: () => {
        this.#stream.stop();
        this.#presence.stop();
      },
      beside: () => this.#presence.beside(true),
      message: (message) => this.#receive(message),
      state: () => this.#state,
    }, isVisible);
    this.#saver = new MarkSaver(api, {
      next: () => (this.#tabs.leads ? Object.entries(this.#state.unsaved)[0] : undefined),
      saved: (action) => this.#apply([action], true),
      refused: (error) => this.#isOver || on.refused(error),
    });
  }

  async enter() {
    // On loopback the stream is live before the cards are built; then both are painted together.
    const live = new Promise((resolve) => {
      this.#becameLive = resolve;
      setTimeout(resolve, LIVE_WITHIN);
    });
    this.#tabs.join(this.#begun?.lock);
    await live;
    if (this.#isOver) return;
    this.#isShown = true;
    this.#render();
    this.#tick();
  }

  leave() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#stream.stop();
    this.#presence.stop();
    this.#tabs.leave();
    this.#archive.stop();
    this.#standing.stop();
    this.#cache.close();
    this.#view.clear();
  }

  /** Opens a signal, which may be older than those at hand. */
  async openSignal(id) {
    if (this.#view.open(id) || !/^[1-9]\d{0,14}$/.test(id)) return;
    if (await this.#archive.find(id)) this.#view.open(id);
  }

  /** The time by the server's clock; null before the server told it. */
  get now() {
    return this.#log.wasLive ? this.#now() : null;
  }

  /** The connection in numbers, for whoever looks into a problem. */
  get numbers() {
    return { ...this.#log.numbers(Date.now()), leads: this.#tabs.leads, signals: Object.keys(this.#state.signals).length, clockOffset: this.#state.clockOffset };
  }

  /** Asks again whether signals come: preferences have changed. */
  readStanding() {
    this.#standing.read();
  }

  /** Draws everything again: the form of numbers or times has changed. */
  redraw() {
    this.#view.redraw();
  }

  /** The way of the price while a signal was open. */
  path(id) {
    return this.#api.path(id);
  }

  /** Reads older signals, if there are any. */
  readOlder() {
    this.#archive.more();
  }

  mark(signal_id, marks) {
    const isOlder = !(signal_id in this.#state.signals);
    if (isOlder) this.#archive.mark(signal_id, marks);
    const actions = [{ type: 'marked', signal_id, ...marks, ...(isOlder && { isOlder }) }];
    this.#apply(actions, this.#tabs.leads);
    if (!this.#tabs.leads) this.#tabs.send({ type: 'marked', actions });
  }

  /** The page ends, or the browser freezes it, as it does with pages that were hidden for long. */
  freeze() {
    this.#cache.flush();
    this.#isComplete = false;
    this.#tabs.pause();
  }

  thaw() {
    this.#tabs.resume();
    this.shown();
  }

  /** The tab is shown, or runs again. */
  shown() {
    this.retry();
    this.#presence.look();
    this.#tabs.ask();
    this.#tick();
  }

  /** The tab is not shown any more. */
  hidden() {
    this.#presence.look();
    if (!this.#tabs.leads) this.#tabs.send({ type: 'hidden' });
  }

  networkChanged() {
    if (this.#tabs.leads) this.#stream.suspect('the network changed');
  }

  /** Connects at once if there is no connection: the subscriber asks for it, or looks at the page. */
  retry() {
    if (this.#tabs.leads) this.#stream.check();
    else if (this.#state.connection.phase === 'waiting') this.#tabs.send({ type: 'retry' });
  }

  #lead() {
    this.#isComplete = true;
    // What the last leader passed on may have reached this tab alone, and does not come again.
    this.#tabs.send({ type: 'state', state: this.#state });
    this.#stream.start();
  }

  #receive(message) {
    if (message.type === 'state') this.#follow(message);
    else if (message.type === 'retry') this.retry();
    else if (message.type === 'hidden') this.#presence.beside(false);
    else this.#apply(message.actions.filter(({ type }) => type !== 'watermark' || this.#isComplete), this.#tabs.leads);
  }

  /** A leader goes on from its own resume point: the state of one that ended may come late. */
  #follow(message) {
    if (this.#tabs.leads) return;
    this.#isComplete = true;
    this.#apply([message], false);
  }

  #apply(actions, share) {
    // Something may still arrive after the sign-out.
    if (this.#isOver || actions.length === 0) return;
    const before = this.#state;
    this.#state = actions.reduce(reduce, before);
    if (this.#state === before) return;
    this.#log.note(this.#state.connection, Date.now());
    if (before.signals !== this.#state.signals) this.#archive.left(before, this.#state);
    this.#render();
    if (actions[0].type !== 'state') {
      this.#announceNew(before);
      this.#announceSettled(before);
    }
    if (!isReached(before) && isReached(this.#state)) this.#standing.readSoon();
    if (before.connection.phase !== 'live' && this.#state.connection.phase === 'live') {
      this.#becameLive();
      this.#on.connected();
    }
    if (share) this.#tabs.send({ type: 'actions', actions });
    if (!this.#tabs.leads) return;
    this.#cache.write(this.#state);
    if (isReached(this.#state)) this.#saver.save();
  }

  #announceNew(before) {
    // The first read brings old signals.
    if (before.watermark === null || before.signals === this.#state.signals) return;
    const now = this.#now();
    const fresh = Object.values(this.#state.signals).filter(
      (signal) => !(signal.signal_id in before.signals) && !signal.viewed && !isPast(signal.expires_at, now),
    );
    if (fresh.length === 0) return;
    this.#view.announce(fresh);
    this.#standing.readSoon();
    this.#notify(() => {
      this.#notifier.offer(fresh);
      this.#sound.play();
    });
  }

  #announceSettled(before) {
    if (before.watermark === null || before.outcomes === this.#state.outcomes) return;
    const { signals, outcomes } = this.#state;
    const settled = Object.keys(outcomes).filter((id) => isFinal(outcomes[id]) && id in before.signals && !isFinal(before.outcomes[id]));
    if (settled.length === 0) return;
    this.#view.announceSettled(settled.map((id) => [signals[id], outcomes[id]]), this.#now());
    const words = settled.map((id) => ({ id: Number(id), words: outcomeSentence(signals[id], outcomes[id], this.#now()) }));
    this.#notify(() => this.#notifier.offerSettled(words));
  }

  /** Once for all tabs, and not in quiet hours, which are the subscriber's on every device. Until these are known it waits. */
  async #notify(tell) {
    await this.#standing.known;
    if (!this.#isOver && this.#tabs.leads && !isQuiet(this.#standing.status, this.#now())) tell();
  }

  #now() {
    return Date.now() + this.#state.clockOffset;
  }

  /** What is at hand with what is older. */
  #shown() {
    return { ...this.#state, older: this.#archive.older, hasMore: this.#archive.hasMore, standing: this.#standing.status, held: this.#log.words(Date.now()) };
  }

  #render() {
    if (this.#isShown) this.#view.render(this.#shown(), this.#now(), Date.now());
    else this.#view.showStatus(this.#shown(), this.#now(), Date.now());
  }

  /** Runs once a second, at the full second of the server's clock. */
  #tick() {
    clearTimeout(this.#timer);
    this.#view.tick(this.#shown(), this.#now(), Date.now());
    const intoSecond = ((this.#now() % 1_000) + 1_000) % 1_000;
    this.#timer = setTimeout(() => this.#tick(), 1_000 - intoSecond);
  }
}
