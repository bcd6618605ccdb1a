// Fresh tokens before the present one expires, and in place of one that is not accepted: from a path of the
// host application, or from the page that shows this one in a frame. If none comes, the reader is told before
// the session ends.

import { setAttribute, setText } from './dom.js';
import { readToken } from './session.js';
import { countdown } from './time.js';

/** Before the end: when a token is asked for, and how often again. */
const ASK_BEFORE = 300_000;
const ASK_EVERY = 30_000;
/** Before the end the reader is told, if no token has come. */
const TELL_BEFORE = 120_000;
const TICK = 1_000;
/** How long those wait whose token is not accepted: less than a request may take. */
const ANSWER_WITHIN = 8_000;

/** What is to be done at a time: nothing, ask for a token, or ask and tell. */
export function stepOf(expiresAt, now) {
  if (expiresAt === null || expiresAt - now > ASK_BEFORE) return 'wait';
  return expiresAt - now > TELL_BEFORE ? 'ask' : 'tell';
}

/** The token of a message, if it is one that may be taken: from a window around this one, of an allowed origin. */
export function tokenOf({ data, origin, source }, origins, parent) {
  if (source === null || source !== parent || !origins.includes(origin)) return null;
  return data?.type === 'signal_hub.token' && typeof data.token === 'string' ? data.token : null;
}

export class Renewal {
  #session;
  #elements;
  #on;
  #options = { embed_origins: [], login_url: null, refresh_path: null };
  #asked = 0;
  #told = null;
  #learning = null;
  /** The search for a token in place of one that is not accepted, and who waits for the token of the page around this one. */
  #search = null;
  #arrived = () => {};
  /** What came while the last search was under way. */
  #found = null;

  /**
   * @param {import('./session.js').Session} session
   * @param {{line: HTMLElement, words: HTMLElement, link: HTMLElement, other: HTMLElement}} elements what tells the reader; `other` is the link of the form
   * @param {object} on
   * @param {() => number | null} on.now the time by the server's clock; null while that is not known
   * @param {(token: string) => void} on.token a token came
   * @param {(options: object) => void} on.learned what the service says of the page, once that is known
   * @param {(words: string) => void} on.ending the session ends soon, said once
   */
  constructor(session, elements, on) {
    [this.#session, this.#elements, this.#on] = [session, elements, on];
    setInterval(() => this.#tick(), TICK);
  }

  /** Learns from the service how tokens come, and listens. */
  start() {
    this.#learning ??= this.#learn();
    return this.#learning;
  }

  /**
   * A token of the same subscriber in place of one that is not accepted; null if none comes. It is
   * asked for once, for all requests that need it.
   * @param {string} refused
   */
  async another(refused) {
    if (this.#session.token === refused) {
      this.#search ??= this.#find().finally(() => { this.#search = null; });
      await this.#search;
    }
    const { token, userId } = this.#session;
    return token !== refused && userId === readToken(refused)?.userId ? token : null;
  }

  /** The token that the last search brought of somebody else than the user of an id; null if none. */
  foundOfAnother(userId) {
    return this.#found !== null && readToken(this.#found)?.userId !== userId ? this.#found : null;
  }

  async #find() {
    this.#found = null;
    await this.start();
    const isFramed = parent !== window && this.#options.embed_origins.length > 0;
    const arrived = new Promise((resolve) => {
      this.#arrived = resolve;
      if (isFramed) setTimeout(resolve, ANSWER_WITHIN);
    });
    const found = this.#ask(this.#on.now() ?? 0);
    if (isFramed) await Promise.race([arrived, found.then((isFound) => isFound || arrived)]);
    else await found;
  }

  async #learn() {
    addEventListener('message', (event) => {
      const token = tokenOf(event, this.#options.embed_origins, parent === window ? null : parent);
      if (token === null) return;
      this.#take(token);
      this.#arrived();
    });
    try {
      const response = await fetch('api/page', { cache: 'no-store' });
      if (response.ok) this.#options = await response.json();
      // Before that nobody could be asked.
      this.#asked = 0;
      this.#on.learned(this.#options);
    } catch {
      // It is learned at the next load; until then nothing renews the session.
    }
    for (const link of [this.#elements.link, this.#elements.other]) {
      setAttribute(link, 'href', this.#options.login_url);
      setAttribute(link, 'hidden', this.#options.login_url === null);
    }
    this.#send('signal_hub.ready');
  }

  #tick() {
    const { token } = this.#session;
    const expiresAt = token === null ? null : (readToken(token)?.expiresAt ?? null);
    const now = this.#on.now();
    const step = now === null ? 'wait' : stepOf(expiresAt, now);
    if (step !== 'wait' && now - this.#asked >= ASK_EVERY) this.#ask(now);
    const left = expiresAt - now;
    setAttribute(this.#elements.line, 'hidden', step !== 'tell');
    if (step !== 'tell') return;
    setText(this.#elements.words, left > 0 ? `Your sign-in ends in ${countdown(left)}.` : 'Your sign-in ends now.');
    if (this.#told === token) return;
    this.#told = token;
    this.#on.ending(`Your sign-in ends in ${countdown(left)}. Signals come no more until you sign in again.`);
  }

  /** Returns whether the application gave one. */
  async #ask(now) {
    this.#asked = now;
    this.#send('signal_hub.renew');
    if (this.#options.refresh_path === null) return false;
    const before = this.#session.token;
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN);
      const response = await fetch(this.#options.refresh_path, { method: 'POST', credentials: 'same-origin', cache: 'no-store', redirect: 'error', signal });
      const { token } = response.ok ? await response.json() : {};
      // Somebody may have signed out or in meanwhile.
      if (typeof token !== 'string' || this.#session.token !== before) return false;
      this.#take(token);
      return true;
    } catch {
      // It is asked again until the end.
      return false;
    }
  }

  #take(token) {
    if (this.#search !== null) this.#found = token;
    this.#on.token(token);
  }

  #send(type) {
    if (parent === window) return;
    for (const origin of this.#options.embed_origins) parent.postMessage({ type }, origin);
  }
}
