// How long to wait before the next attempt.

const FIRST = 1_000;
const LONGEST = 30_000;

/** 1, 2, 4 ... 30 s, each shortened by up to half, so that the clients of a restarted server come back at different times. */
export class Backoff {
  #random;
  #attempts = 0;

  /** @param {() => number} random from 0 to 1 */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** Milliseconds to wait before the next attempt. */
  next() {
    const whole = Math.min(LONGEST, FIRST * 2 ** this.#attempts);
    this.#attempts += 1;
    return whole * (1 - this.#random() / 2);
  }

  /** The last attempt was a success. */
  reset() {
    this.#attempts = 0;
  }
}
