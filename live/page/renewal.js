// Fresh tokens before the present one expires: from a path of the host application, or from the page that
// shows this one in a frame. If none comes, the reader is told before the session ends.

import { setAttribute, setText } from './dom.js';
import { readToken } from './session.js';
import { countdown } from './time.js';

/** Before the end: when a token is asked for, and how often again. */
const ASK_BEFORE = 300_000;
const ASK_EVERY = 30_000;
/** Before the end the reader is told, if no token has come. */
const TELL_BEFORE = 120_000;
const TICK = 1_000;

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
  async start() {
    addEventListener('message', (event) => {
      const token = tokenOf(event, this.#options.embed_origins, parent === window ? null : parent);
      if (token !== null) this.#on.token(token);
    });
    try {
      const response = await fetch('api/page', { cache: 'no-store' });
      if (response.ok) this.#options = await response.json();
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

  async #ask(now) {
    this.#asked = now;
    this.#send('signal_hub.renew');
    if (this.#options.refresh_path === null) return;
    const before = this.#session.token;
    try {
      const response = await fetch(this.#options.refresh_path, { method: 'POST', credentials: 'same-origin', cache: 'no-store', redirect: 'error' });
      const { token } = response.ok ? await response.json() : {};
      // Somebody may have signed out or in meanwhile.
      if (typeof token === 'string' && this.#session.token === before) this.#on.token(token);
    } catch {
      // It is asked again until the end.
    }
  }

  #send(type) {
    if (parent === window) return;
    for (const origin of this.#options.embed_origins) parent.postMessage({ type }, origin);
  }
}
