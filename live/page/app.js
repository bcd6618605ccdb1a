// Signs in and out, and shows either the form or the signals.

import { Api } from './api.js';
import { Cache } from './cache.js';
import { setText } from './dom.js';
import { LinkSignIn } from './link.js';
import { Notifier } from './notify.js';
import { Panel } from './panel.js';
import { Preferences } from './preferences.js';
import { Push } from './push.js';
import { recordOf } from './record.js';
import { Renewal } from './renewal.js';
import { Session, readToken, storage, takeTokenFromAddress } from './session.js';
import { Settings } from './settings.js';
import { SettingsView } from './settings_view.js';
import { Shell } from './shell.js';
import { Sound } from './sound.js';
import { takeBegun } from './start.js';
import { Subscriber } from './subscriber.js';
import { View } from './view.js';
import { Views } from './views.js';

const at = (id) => document.getElementById(id);
/** After the start, a page with a session learns how that is renewed. */
const RENEWAL_AFTER = 500;
const isVisible = () => !document.hidden;

class App {
  #session = new Session(storage);
  #subscriber = null;
  /** Of whom is signed in. */
  #api = null;
  /** Whose signals are shown. */
  #shownId = null;
  #link = new LinkSignIn(
    this.#session,
    { box: at('other-sign-in'), words: at('other-words'), change: at('change'), stay: at('stay') },
    { signedIn: () => (this.#subscriber !== null && this.#session.userId === this.#shownId ? this.#renewed() : this.#show('')), problem: (problem) => this.#show(problem) },
  );
  #settings = new Settings(storage, () => this.#settingsChanged());
  #push = new Push(storage, () => this.#settings.current);
  #notifier = new Notifier(at('notify'), () => this.#settings.current, () => this.#push.sync());
  #sound = new Sound(() => this.#settings.current.sound);
  #renewal = new Renewal(
    this.#session,
    { line: at('session-end'), words: at('session-end-words'), link: at('session-end-link'), other: at('sign-in-link') },
    { now: () => this.#subscriber?.now ?? null, token: (token) => this.#handedOver(token), ending: (words) => this.#notifier.offerSession(words), learned: ({ push_key }) => this.#learned(push_key) },
  );
  #shell = new Shell(at('renewed'), at('reload'));
  #view = new View(document, {
    viewed: (id) => this.#subscriber?.mark(id, { viewed: true }),
    clicked: (id) => this.#subscriber?.mark(id, { viewed: true, clicked: true }),
    path: (id) => this.#subscriber.path(id),
    nearEnd: () => this.#subscriber?.readOlder(),
  });

  #record = new Panel({
    elements: { shown: at('record-shown'), problem: at('record-problem') },
    what: 'the record',
    every: 60_000,
    read: async (api, signal) => {
      const { total, sides, symbols, symbols_total, days, since, until } = await api.trackRecord(signal);
      // The end of the record moves with each reading; only its day is shown.
      return { total, sides, symbols, symbols_total, days, since, until: until.slice(0, 10) };
    },
    draw: recordOf,
    refused: (error) => this.#refused(error),
  });

  #settingsView = new SettingsView(at, this.#settings, new Preferences(at, {
    refused: (error) => this.#refused(error),
    saved: () => this.#subscriber?.readStanding(),
  }), this.#push);
  #views = new Views(at, { record: this.#record, settings: this.#settingsView });

  get numbers() {
    return this.#subscriber?.numbers ?? null;
  }

  start() {
    this.#listen();
    const token = takeTokenFromAddress(location, history);
    // Those who are signed in see their signals while the token is checked.
    if (token === null || this.#session.userId !== null) this.#show('');
    if (token !== null) this.#link.take(token);
    // With a session there is time: nothing that is painted waits for it.
    setTimeout(() => this.#renewal.start(), this.#session.userId === null ? 0 : RENEWAL_AFTER);
    this.#shell.start((id) => {
      this.#views.showSignals();
      this.#subscriber?.openSignal(String(id));
    });
  }

  #listen() {
    at('sign-in').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#signIn(at('token').value);
    });
    at('sign-out').addEventListener('click', () => this.#signOut());
    at('retry').addEventListener('click', () => this.#subscriber?.retry());
    document.addEventListener('visibilitychange', () => (isVisible() ? this.#subscriber?.shown() : this.#subscriber?.hidden()));
    document.addEventListener('freeze', () => this.#subscriber?.freeze());
    document.addEventListener('resume', () => this.#subscriber?.thaw());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#subscriber?.thaw());
    // On a reload the next page waits for the lead that this one has.
    addEventListener('pagehide', () => this.#subscriber?.freeze());
    addEventListener('online', () => this.#subscriber?.networkChanged());
    addEventListener('offline', () => this.#subscriber?.networkChanged());
    addEventListener('hashchange', () => {
      const token = takeTokenFromAddress(location, history);
      if (token !== null) this.#link.take(token);
      this.#views.route();
      this.#view.route();
      this.#openNamed();
    });
    this.#session.onChangedElsewhere(window, () => {
      this.#link.close();
      if (this.#subscriber !== null && this.#session.userId === this.#shownId) this.#renewed();
      else this.#show('');
    });
  }

  #learned(key) {
    this.#push.learn(key);
    this.#settingsView.show();
  }

  #settingsChanged() {
    this.#push.sync();
    this.#settingsView.show();
    this.#record.redraw();
    this.#subscriber?.redraw();
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

  /** A token that the host application hands over. */
  #handedOver(token) {
    if (this.#subscriber === null || readToken(token)?.userId !== this.#shownId) {
      this.#link.take(token);
      return;
    }
    this.#session.set(token.trim());
    this.#renewed();
  }

  /** The same subscriber has another token. */
  #renewed() {
    this.#api.renew(this.#session.token);
    this.#subscriber.retry();
  }

  #signOut() {
    this.#link.close();
    this.#push.leave();
    this.#session.forget();
    this.#show('');
  }

  /** The service does not accept the token, and there is no other of this subscriber. */
  #refused(error) {
    const other = this.#renewal.foundOfAnother(this.#session.userId);
    this.#session.forget();
    // The application is used by somebody else by now.
    if (other !== null) this.#link.take(other);
    else this.#show(`The service refused the sign-in: ${error.message}.`);
  }

  /** Shows the signals of the subscriber who is signed in, else the form; nothing of another subscriber stays. */
  #show(problem) {
    this.#subscriber?.leave();
    this.#subscriber = null;
    this.#shownId = this.#session.userId;
    const isSignedIn = this.#shownId !== null;
    this.#shell.signed(isSignedIn);
    at('signed-out').hidden = isSignedIn;
    at('status').hidden = !isSignedIn;
    at('account').hidden = !isSignedIn;
    at('problem').textContent = problem;
    setText(at('who'), this.#session.name ?? '');
    at('who').title = this.#session.name ?? '';
    const wasAnother = Cache.clear(storage, this.#session.userId);
    if (wasAnother || !isSignedIn) this.#notifier.clear();
    if (!isSignedIn) {
      this.#push.suspend();
      this.#views.leave();
      if (problem) at('token').focus();
      return;
    }
    const api = this.#api = new Api(this.#session.token, (refused) => this.#renewal.another(refused));
    this.#views.enter(api);
    this.#push.enter(this.#shownId, api);
    const parts = { session: this.#session, api, storage, view: this.#view, notifier: this.#notifier, sound: this.#sound, isVisible, begun: takeBegun(this.#session.token) };
    this.#subscriber = new Subscriber(parts, {
      refused: (error) => this.#refused(error),
      connected: () => this.#shell.check(),
    });
    this.#subscriber.enter().then(() => this.#openNamed());
  }

  /** Opens the signal that the address names. */
  #openNamed() {
    const wanted = new URLSearchParams(location.hash.slice(1)).get('signal');
    if (wanted !== null) this.#subscriber?.openSignal(wanted);
  }
}

const app = new App();
app.start();
// For whoever looks into a problem: signalHub.connection in the console of the browser.
globalThis.signalHub = Object.freeze({ get connection() { return app.numbers; } });
