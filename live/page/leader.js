// The tabs of one subscriber: one of them leads, which is to say holds the
// connection, and all hear what it receives. The lock is the browser's: when the
// leader is closed, however it ends, the next tab has it.
//
// A tab that the browser freezes gives the lock away, and its place in the line.
// One that hangs cannot. So a tab that is shown asks now and then, and takes the
// lock from one who does not answer.
//
// Without Web Locks (pages that are not from https or loopback have none) every
// tab leads itself.

/** Between two questions whether the leader is alive, from a tab that is shown. */
const ASK_EVERY = 10_000;
const ANSWER_WITHIN = 2_000;
/** Messages that only a leader sends. */
const OF_LEADERS = ['state', 'actions', 'alive'];

export class Tabs {
  #name;
  #locks;
  #channel;
  #on;
  #isVisible;
  #leads = false;
  #isOver = false;
  /** This tab's place in the line for the lock; aborted when it gave that up. */
  #line = new AbortController();
  #release = () => {};
  #unanswered = null;
  #asking = null;

  /**
   * @param {string} name of the subscriber: tabs of another one are none of ours
   * @param {object} on
   * @param {() => void} on.lead this tab has the connection now
   * @param {() => void} on.follow it has it no more
   * @param {(message: object) => void} on.message from another tab
   * @param {() => object} on.state for a tab that asks what is known
   * @param {() => boolean} isVisible
   */
  constructor(name, on, isVisible, locks = navigator.locks, channel = new BroadcastChannel(`signal_hub.${name}`)) {
    this.#name = `signal_hub.${name}`;
    this.#on = on;
    this.#isVisible = isVisible;
    this.#locks = locks;
    this.#channel = channel;
    channel.onmessage = ({ data }) => this.#hear(data);
  }

  get leads() {
    return this.#leads;
  }

  /** Stands in line for the lead. */
  join() {
    if (!this.#locks) {
      this.#lead();
      return;
    }
    this.resume();
    this.#asking = setInterval(() => this.ask(), ASK_EVERY);
  }

  /** The browser is about to freeze this tab: others must not wait for it. */
  pause() {
    if (!this.#locks) return;
    this.#giveUp();
    this.#follow();
  }

  /** Stands in line for the lead, and asks what the leader knows, if there is one: that comes as a message of type state. */
  resume() {
    if (!this.#locks || this.#isOver) return;
    this.#contend(false);
    this.send({ type: 'ask', wants: 'state' });
  }

  /** Tells the other tabs. */
  send(message) {
    if (!this.#isOver) this.#channel.postMessage(message);
  }

  /** Sees whether the leader is alive, for a tab that is shown. */
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

  #hear(message) {
    if (message.type === 'ask') {
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

  async #contend(isTaken) {
    this.#line.abort();
    const { signal } = (this.#line = new AbortController());
    try {
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
    this.#line.abort();
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
