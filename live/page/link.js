// Signs in by the token of a link. Anybody can make such a link, also one that signs in as somebody
// else, or one with a useless token. So while a subscriber is signed in, the token is checked first,
// and nobody is replaced without being asked.

import { Api, Refused } from './api.js';
import { setAttribute, setText } from './dom.js';
import { readToken } from './session.js';

export class LinkSignIn {
  #session;
  #elements;
  #on;
  /** The token that the subscriber is asked about. */
  #offered = null;
  /** Counts links, so that the check of an earlier one has no effect. */
  #links = 0;

  /**
   * @param {import('./session.js').Session} session
   * @param {{box: HTMLElement, words: HTMLElement, change: HTMLElement, stay: HTMLElement}} elements
   * @param {object} on
   * @param {() => void} on.signedIn somebody is signed in by the link
   * @param {(problem: string) => void} on.problem nobody is signed in, and the link does not do it either
   */
  constructor(session, elements, on) {
    this.#session = session;
    this.#elements = elements;
    this.#on = on;
    elements.change.addEventListener('click', () => this.#signIn(this.#offered));
    elements.stay.addEventListener('click', () => this.close());
  }

  /** Takes the token of a link. */
  async take(token) {
    this.close();
    const link = this.#links;
    const theirs = readToken(token);
    const present = this.#session.userId;
    if (present === null) {
      if (theirs === null) this.#on.problem('The link has no token of a subscriber.');
      else this.#signIn(token);
      return;
    }
    if (theirs === null) {
      this.#show('The link has no token of a subscriber. You are still signed in.', null);
      return;
    }
    const problem = await this.#check(token);
    if (link !== this.#links || present !== this.#session.userId) return;
    if (problem !== null) this.#show(`The link does not sign in: ${problem}. You are still signed in.`, null);
    else if (theirs.userId === present) this.#signIn(token);
    else this.#show(`The link signs in as ${theirs.name}. You are signed in as ${this.#session.name}.`, token);
  }

  close() {
    this.#links += 1;
    this.#offered = null;
    setAttribute(this.#elements.box, 'hidden', true);
  }

  /** Why the service does not accept the token; null if it does. */
  async #check(token) {
    try {
      await new Api(token.trim()).health();
      return null;
    } catch (error) {
      return error instanceof Refused ? error.message : 'the service cannot be reached';
    }
  }

  #signIn(token) {
    this.close();
    this.#session.set(token.trim());
    this.#on.signedIn();
  }

  #show(words, token) {
    this.#offered = token;
    setText(this.#elements.words, words);
    setAttribute(this.#elements.change, 'hidden', token === null);
    setText(this.#elements.stay, token === null ? 'Close' : 'Stay');
    setAttribute(this.#elements.box, 'hidden', false);
  }
}
