// How well the connection holds: for the reader in a few words, and for whoever looks into a problem as
// numbers on window.signalHub.

import { duration } from './time.js';

export class ConnectionLog {
  #began;
  #phase = null;

  /** Since when the connection is live, by this machine's clock; null while it is not. */
  liveSince = null;
  /** How often it became live again after it was lost. */
  returns = 0;
  /** Milliseconds without a live connection after the first one. */
  away = 0;
  /** Why it was lost last; empty if it never was. */
  lastReason = '';
  #lostAt = null;
  /** Whether it was ever live. */
  wasLive = false;

  /** @param {number} now by this machine's clock, in milliseconds */
  constructor(now) {
    this.#began = now;
  }

  /** Takes a state of the connection, see stream.js. */
  note({ phase, reason }, now) {
    if (phase === 'waiting' && reason) this.lastReason = reason;
    if (phase === this.#phase) return;
    this.#phase = phase;
    if (phase === 'live') {
      if (this.wasLive) {
        this.returns += 1;
        this.away += now - (this.#lostAt ?? now);
      }
      this.wasLive = true;
      this.#lostAt = null;
      this.liveSince = now;
    } else if (this.liveSince !== null) {
      this.#lostAt = now;
      this.liveSince = null;
    }
  }

  /** "for 2 h 5 min, came back 3 times". */
  words(now) {
    if (this.liveSince === null) return '';
    const times = this.returns === 1 ? 'once' : `${this.returns} times`;
    return `for ${duration(now - this.liveSince)}${this.returns > 0 ? `, came back ${times}` : ''}`;
  }

  /** Everything as numbers, in milliseconds. */
  numbers(now) {
    return {
      phase: this.#phase,
      pageAge: now - this.#began,
      liveFor: this.liveSince === null ? 0 : now - this.liveSince,
      returns: this.returns,
      away: this.away + (this.#lostAt === null ? 0 : now - this.#lostAt),
      lastReason: this.lastReason,
    };
  }
}
