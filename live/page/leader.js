// The tabs of one subscriber: one of them leads, which means that it holds the
// connection, and passes on to the others what it receives. The lock is the
// browser's: however the leader ends, the next tab gets the lock.
//
// A tab that the browser freezes gives up the lock and its place in the queue. A
// tab that hangs cannot do so. Therefore a tab that is shown asks from time to
// time, and takes the lock from a leader that does not answer.
//
// Without Web Locks (only pages from https or loopback have them) every tab
// leads itself.
//
// Written by hand because the browser's locks do nearly all of it; libraries
// elect by messages, which takes longer and can end with two leaders.

import { lockOf, noteLead } from './lock.js';

/** Between two questions whether the leader is alive, from a tab that is shown. */
const ASK_EVERY = 10_000;
const ANSWER_WITHIN = 2_000;
/** Messages that only a leader sends. */
const OF_LEADERS = ['state', 'actions', 'alive'];

export class Tabs {
  #userId;
  #name;
  #locks;
  #channel;
  #on;
  #isVisible;
  #leads = false;
  #isOver = false;
  /** This tab's place in the queue for the lock; aborted when the tab gave it up. */
  #place = new AbortController();
  #release = () => {};
  #unanswered = null;
  #asking = null;

  /**
   * @param {string} userId of the subscriber: tabs of other subscribers do not count
   * @param {object} on
   * @param {() => void} on.lead this tab leads from now on
   * @param {() => void} on.follow this tab does not lead any more
   * @param {(message: object) => void} on.message from another tab
   * @param {() => object} on.state for a tab that asks what is known
   * @param {() => void} on.beside a tab beside this one, which leads, is shown
   * @param {() => boolean} isVisible
   */
  constructor(userId, on, isVisible, locks = navigator.locks, channel = new BroadcastChannel(lockOf(userId))) {
    this.#userId = userId;
    this.#name = lockOf(userId);
    this.#on = on;
    this.#isVisible = isVisible;
    this.#locks = locks;
    this.#channel = channel;
    channel.onmessage = ({ data }) => this.#receive(data);
  }

  get leads() {
    return this.#leads;
  }

  /** Queues for the lead, unless `begun` is it, see lock.js. */
  join(begun) {
    if (!this.#locks) {
      this.#lead();
      return;
    }
    this.resume(begun);
    this.#asking = setInterval(() => this.ask(), ASK_EVERY);
  }

  /** Gives up the lead: the browser is about to freeze this tab, and others must not wait for it. */
  pause() {
    if (!this.#locks) return;
    noteLead(this.#userId, this.#leads);
    this.#giveUp();
    this.#follow();
  }

  /** Queues for the lead, and asks the leader, if there is one, for its state. */
  resume(begun) {
    if (!this.#locks || this.#isOver) return;
    this.#contend(false, begun);
    this.send({ type: 'ask', wants: 'state', isShown: this.#isVisible() });
  }

  /** Sends to the other tabs. */
  send(message) {
    if (!this.#isOver) this.#channel.postMessage(message);
  }

  /** Asks whether the leader is alive, if this tab is shown. */
  ask() {
    if (this.#leads || this.#unanswered !== null || !this.#isVisible()) return;
    this.send({ type: 'ask', wants: 'sign of life' });
    this.#unanswered = setTimeout(() => {
      this.#unanswered = null;
      if (!this.#leads) this.#contend(true);
    }, ANSWER_WITHIN);
  }

  leave() {
    this.#isOver = true;
    clearInterval(this.#asking);
    this.#answered();
    this.#giveUp();
    this.#follow();
    this.#channel.close();
  }

  #receive(message) {
    if (message.type === 'ask') {
      // Only tabs that are shown ask for a sign of life.
      if (this.#leads && (message.isShown || message.wants === 'sign of life')) this.#on.beside();
      if (this.#leads) this.send(message.wants === 'state' ? { type: 'state', state: this.#on.state() } : { type: 'alive' });
      return;
    }
    if (OF_LEADERS.includes(message.type)) this.#answered();
    if (message.type !== 'alive') this.#on.message(message);
  }

  #answered() {
    clearTimeout(this.#unanswered);
    this.#unanswered = null;
  }

  async #contend(isTaken, begun) {
    this.#place.abort();
    const { signal } = (this.#place = new AbortController());
    try {
      const held = await begun ?? null;
      if (signal.aborted) {
        held?.release();
        return;
      }
      if (held !== null) {
        this.#release = held.release;
        this.#lead();
        await held.ended;
        return;
      }
      await this.#locks.request(this.#name, isTaken ? { steal: true } : { signal }, () => {
        if (signal.aborted) return undefined;
        this.#lead();
        return new Promise((resolve) => {
          this.#release = resolve;
        });
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error.name !== 'AbortError') {
        // Locks are forbidden here.
        this.#lead();
        return;
      }
      // Another tab took it.
      this.#follow();
      this.resume();
    }
  }

  #giveUp() {
    this.#place.abort();
    this.#release();
  }

  #lead() {
    this.#answered();
    this.#leads = true;
    this.#on.lead();
  }

  #follow() {
    if (!this.#leads) return;
    this.#leads = false;
    this.#on.follow();
  }
}
