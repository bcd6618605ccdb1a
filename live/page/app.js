// Signs in and out, and joins the parts: stream -> store -> view, cache and the other tabs.

import { Api, Refused } from './api.js';
import { Cache } from './cache.js';
import { Tabs } from './leader.js';
import { Notifier } from './notify.js';
import { Session, readToken, takeTokenFromAddress } from './session.js';
import { Shell } from './shell.js';
import { reduce } from './store.js';
import { Stream } from './stream.js';
import { isPast } from './time.js';
import { View } from './view.js';

const at = (id) => document.getElementById(id);
/** So long the page waits to hear that the stream is live, before it builds what is cached. */
const LIVE_WITHIN = 20;

const isVisible = () => !document.hidden;

/** A browser that is told to keep nothing refuses even to name its storage. */
const storage = (() => {
  try {
    return localStorage;
  } catch {
    return null;
  }
})();

/** What is on while somebody is signed in. */
class Subscriber {
  #state;
  #cache;
  #tabs;
  #stream;
  #api;
  #view;
  #notifier;
  #on;
  #isOver = false;
  /** Nothing is shown before; see enter(). */
  #isShown = false;
  #heard = () => {};
  #saving = false;
  #timer = null;

  /**
   * @param {object} on
   * @param {(error: Refused) => void} on.refused the service does not take the token
   * @param {() => void} on.connected a stream is live, in this tab or the leading one
   */
  constructor(session, view, notifier, on) {
    this.#view = view;
    this.#notifier = notifier;
    this.#on = on;
    this.#api = new Api(session.token);
    this.#cache = new Cache(storage, session.userId);
    this.#state = this.#cache.read();
    this.#stream = new Stream({
      api: this.#api,
      watermark: () => this.#state.watermark,
      emit: (actions) => this.#apply(actions, true),
      refused: on.refused,
      isVisible,
    });
    this.#tabs = new Tabs(session.userId, {
      lead: () => this.#stream.start(),
      follow: () => this.#stream.stop(),
      message: (message) => this.#hear(message),
      state: () => this.#state,
    }, isVisible);
  }

  async enter() {
    // On loopback the stream is live sooner than the cards are built, and the two are painted as one.
    const live = new Promise((resolve) => {
      this.#heard = resolve;
      setTimeout(resolve, LIVE_WITHIN);
    });
    this.#tabs.join();
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
    this.#tabs.leave();
    this.#cache.close();
    this.#view.clear();
  }

  mark(signal_id, marks) {
    this.#apply([{ type: 'marked', signal_id, ...marks }], this.#tabs.leads);
    if (!this.#tabs.leads) this.#tabs.send({ type: 'marked', actions: [{ type: 'marked', signal_id, ...marks }] });
  }

  /** The page ends, or the browser stops it as it does with some that were hidden for long. */
  freeze() {
    this.#cache.flush();
    this.#tabs.pause();
  }

  thaw() {
    this.#tabs.resume();
    this.shown();
  }

  /** The tab is shown, or runs again. */
  shown() {
    this.retry();
    this.#tabs.ask();
    this.#tick();
  }

  networkChanged() {
    if (this.#tabs.leads) this.#stream.suspect('the network changed');
  }

  /** Tries at once if there is no connection: somebody asks for it, or looks. */
  retry() {
    if (this.#tabs.leads) this.#stream.check();
    else if (this.#state.connection.phase === 'waiting') this.#tabs.send({ type: 'retry' });
  }

  #hear(message) {
    if (message.type === 'state') this.#apply([message], false);
    else if (message.type === 'retry') this.retry();
    else this.#apply(message.actions, this.#tabs.leads);
  }

  #apply(actions, share) {
    // What was on its way when somebody signed out.
    if (this.#isOver) return;
    const before = this.#state;
    this.#state = actions.reduce(reduce, before);
    if (this.#state === before) return;
    this.#render();
    if (actions[0].type !== 'state') this.#tellOfNew(before);
    if (before.connection.phase !== 'live' && this.#state.connection.phase === 'live') {
      this.#heard();
      this.#on.connected();
    }
    if (share) this.#tabs.send({ type: 'actions', actions });
    if (!this.#tabs.leads) return;
    this.#cache.write(this.#state);
    this.#save();
  }

  #tellOfNew(before) {
    // The first read brings what there was, not what is new.
    if (before.watermark === null || before.signals === this.#state.signals) return;
    const now = this.#now();
    const fresh = Object.values(this.#state.signals).filter(
      (signal) => !(signal.signal_id in before.signals) && !signal.viewed && !isPast(signal.expires_at, now),
    );
    if (fresh.length === 0) return;
    this.#view.announce(fresh);
    if (this.#tabs.leads) this.#notifier.offer(fresh);
  }

  /** Writes marks back, one after the other; what fails waits for the next connection. */
  async #save() {
    const { phase, polling } = this.#state.connection;
    if (this.#saving || !(phase === 'live' || polling)) return;
    this.#saving = true;
    try {
      for (let next; (next = Object.entries(this.#state.unsaved)[0]) && this.#tabs.leads;) {
        this.#apply([await this.#saveOne(...next)], true);
      }
    } catch (error) {
      if (error instanceof Refused && error.status === 401 && !this.#isOver) this.#on.refused(error);
    } finally {
      this.#saving = false;
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

  #now() {
    return Date.now() + this.#state.clockOffset;
  }

  #render() {
    if (this.#isShown) this.#view.render(this.#state, this.#now(), Date.now());
  }

  /** Once a second, when the server's clock turns to the next. */
  #tick() {
    clearTimeout(this.#timer);
    this.#view.tick(this.#state, this.#now(), Date.now());
    const intoSecond = ((this.#now() % 1_000) + 1_000) % 1_000;
    this.#timer = setTimeout(() => this.#tick(), 1_000 - intoSecond);
  }
}

class App {
  #session = new Session(storage);
  #subscriber = null;
  #notifier = new Notifier(at('notify'));
  #shell = new Shell(at('renewed'), at('reload'));
  #view = new View(document, {
    viewed: (id) => this.#subscriber?.mark(id, { viewed: true }),
    clicked: (id) => this.#subscriber?.mark(id, { viewed: true, clicked: true }),
  });

  start() {
    this.#listen();
    this.#takeAddress();
    this.#show('');
    this.#shell.start((id) => this.#view.open(id));
  }

  #listen() {
    at('sign-in').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#signIn(at('token').value);
    });
    at('sign-out').addEventListener('click', () => this.#signOut());
    at('retry').addEventListener('click', () => this.#subscriber?.retry());
    document.addEventListener('visibilitychange', () => isVisible() && this.#subscriber?.shown());
    document.addEventListener('freeze', () => this.#subscriber?.freeze());
    document.addEventListener('resume', () => this.#subscriber?.thaw());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#subscriber?.thaw());
    // On a reload the next page waits for the lead that this one has.
    addEventListener('pagehide', () => this.#subscriber?.freeze());
    addEventListener('online', () => this.#subscriber?.networkChanged());
    addEventListener('offline', () => this.#subscriber?.networkChanged());
    addEventListener('hashchange', () => this.#takeAddress() && this.#show(''));
    this.#session.onChangedElsewhere(window, () => this.#show(''));
  }

  /** Signs in by the address; says whether it did. */
  #takeAddress() {
    const token = takeTokenFromAddress(location, history);
    if (token !== null) this.#session.set(token);
    return token !== null;
  }

  #signIn(token) {
    at('token').value = '';
    if (readToken(token) === null) {
      this.#show('This is not a token of a subscriber.');
      return;
    }
    this.#session.set(token.trim());
    this.#show('');
  }

  #signOut() {
    this.#session.forget();
    this.#show('');
  }

  /** The service does not take the token. */
  #refused(error) {
    this.#session.forget();
    this.#show(`The service refused the sign-in: ${error.message}.`);
  }

  /** The signals of whoever is signed in, else the form; nothing of another subscriber stays. */
  #show(problem) {
    this.#subscriber?.leave();
    this.#subscriber = null;
    const isSignedIn = this.#session.userId !== null;
    at('signed-out').hidden = isSignedIn;
    at('signed-in').hidden = !isSignedIn;
    at('status').hidden = !isSignedIn;
    at('account').hidden = !isSignedIn;
    at('problem').textContent = problem;
    const wasAnother = Cache.clear(storage, this.#session.userId);
    if (wasAnother || !isSignedIn) this.#notifier.clear();
    if (!isSignedIn) {
      if (problem) at('token').focus();
      return;
    }
    this.#subscriber = new Subscriber(this.#session, this.#view, this.#notifier, {
      refused: (error) => this.#refused(error),
      connected: () => this.#shell.check(),
    });
    const wanted = new URLSearchParams(location.hash.slice(1)).get('signal');
    this.#subscriber.enter().then(() => wanted !== null && this.#view.open(wanted));
  }
}

new App().start();
