// The one connection to the service: opens the stream, notices when it is dead,
// comes back with backoff from the last resume point, and asks every few seconds
// while there is none.
//
// phase of the connection, as the page shows it:
//   connecting   an attempt is under way
//   live         the service said hello and was heard lately
//   waiting      the last attempt failed; the next is at retryAt (this machine's clock)
// With it: polling, whether the last read beside the stream succeeded; reason, why
// it is not live, in words.

import { Refused } from './api.js';
import { Backoff } from './backoff.js';
import { EventParser } from './sse.js';
import { clockOffset } from './time.js';

/** Between two reads while there is no stream. */
const POLL_EVERY = 5_000;
/** The longest an open stream may take to say hello: a proxy that collects the reply never does. */
const HELLO_WITHIN = 10_000;
/** After so long a stream counts as good, and the backoff begins anew. */
const GOOD_AFTER = 5_000;
const TICK = 1_000;
/** A tick that comes so late means that the machine slept, if the tab is shown: hidden ones are throttled. */
const SLEPT = 5_000;
/** How much later than promised a heartbeat may come. */
const GRACE = 5_000;
/** Rows asked for at once. */
const PAGE = 200;
const GOODBYES = {
  slow: 'this browser did not keep up',
  shutdown: 'the service is restarting',
  expired: 'the sign-in expired',
  replaced: 'it is open on too many devices',
};

export class Stream {
  #api;
  #watermark;
  #emit;
  #refused;
  #isVisible;
  #backoff;

  #running = null;
  #attempt = null;
  #wake = () => {};
  #connection = { phase: 'connecting', polling: false };
  #hurry = false;
  /** Why the attempt under way ends, where that is known. */
  #why;
  #lastHeard = 0;
  #heartbeat = 15_000;
  #ticker = null;
  #lastTick = 0;
  #poller = null;
  #pollFailed = false;
  #polls = null;

  /**
   * @param {object} options
   * @param {import('./api.js').Api} options.api
   * @param {() => string | null} options.watermark the last resume point received
   * @param {(actions: object[]) => void} options.emit takes actions for the store
   * @param {(error: Refused) => void} options.refused the token is not good (any more)
   * @param {() => boolean} options.isVisible whether this tab is shown
   * @param {Backoff} [options.backoff]
   */
  constructor({ api, watermark, emit, refused, isVisible, backoff = new Backoff() }) {
    this.#api = api;
    this.#watermark = watermark;
    this.#emit = emit;
    this.#refused = refused;
    this.#isVisible = isVisible;
    this.#backoff = backoff;
  }

  start() {
    if (this.#running) return;
    this.#running = new AbortController();
    this.#backoff.reset();
    this.#lastTick = Date.now();
    this.#ticker = setInterval(() => this.#tick(), TICK);
    this.#run(this.#running.signal);
  }

  stop() {
    this.#running?.abort();
    this.#running = null;
    this.#attempt?.abort();
    this.#wake();
    clearInterval(this.#ticker);
    this.#stopPolling();
  }

  /** Something happened after which the connection may be dead, or may be had again: see now. */
  check() {
    if (this.#connection.phase === 'waiting') this.#now();
    else if (this.#isSilent()) this.#again('nothing was heard for too long');
  }

  /** The network changed, or the machine slept: what looks open may be dead. */
  suspect(reason) {
    if (this.#connection.phase === 'waiting') this.#now();
    else this.#again(reason);
  }

  async #run(stopped) {
    while (!stopped.aborted) {
      this.#attempt = new AbortController();
      this.#why = undefined;
      this.#startPolling();
      const began = Date.now();
      // Asked for first, told then: what is told is painted, which takes its time.
      const attempt = this.#once(this.#attempt);
      this.#connect({ phase: 'connecting' });
      const reason = await attempt.then(
        () => this.#why ?? 'the service closed the stream',
        (error) => this.#understand(error, stopped),
      );
      if (stopped.aborted) return;
      if (this.#connection.phase === 'live' && Date.now() - began > GOOD_AFTER) this.#backoff.reset();
      this.#startPolling();
      await this.#pause(reason);
    }
  }

  /** Why an attempt ended, in words. */
  #understand(error, stopped) {
    if (stopped.aborted) return '';
    if (error instanceof Refused) {
      if (error.status === 401 || error.status === 403) this.#refused(error);
      // The only thing it can hold against a request of ours is the resume point.
      if (error.status === 400) this.#emit([{ type: 'watermark', watermark: null }]);
      return error.message;
    }
    return this.#why ?? 'the service cannot be reached';
  }

  /** From the opening of a stream to its end. */
  async #once(attempt) {
    const patience = setTimeout(() => this.#end('the service did not answer in time'), HELLO_WITHIN);
    try {
      if (this.#watermark() === null) this.#page(await this.#api.signals(null, PAGE, attempt.signal));
      const response = await this.#api.stream(this.#watermark(), attempt.signal);
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      const parser = new EventParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        this.#lastHeard = Date.now();
        const actions = parser.feed(decoder.decode(value, { stream: true })).flatMap((event) => this.#understandEvent(event, patience));
        if (actions.length > 0) this.#emit(actions);
      }
    } finally {
      clearTimeout(patience);
      // Ends the reading where a throw did not come from it.
      attempt.abort();
    }
  }

  #understandEvent({ event, data, id }, patience) {
    const actions = this.#payload(event, data === '' ? null : JSON.parse(data), patience);
    // After what it vouches for.
    if (id) actions.push({ type: 'watermark', watermark: id });
    return actions;
  }

  #payload(event, data, patience) {
    switch (event) {
      case 'hello':
        clearTimeout(patience);
        this.#stopPolling();
        this.#heartbeat = data.heartbeat_seconds * 1_000;
        return [...this.#clock(data.server_time), this.#connected({ phase: 'live' })];
      case 'signal':
        return [{ type: 'signal', signal: data }];
      case 'mark':
        return [{ type: 'mark', mark: data }];
      case 'health':
        return [...this.#clock(data.server_time), { type: 'health', health: data }];
      case 'bye':
        // What follows is the end of the stream; a token that expired is refused at the next attempt.
        this.#why = GOODBYES[data.reason];
        return [];
      default:
        return [];
    }
  }

  #clock(serverTime) {
    const offset = clockOffset(serverTime, Date.now());
    return offset === undefined ? [] : [{ type: 'clock', clockOffset: offset }];
  }

  #page({ signals, watermark, server_time }) {
    this.#emit([
      ...this.#clock(server_time),
      ...signals.map((signal) => ({ type: 'signal', signal })),
      { type: 'watermark', watermark },
    ]);
  }

  #connected(connection) {
    this.#connection = { polling: false, ...connection };
    return { type: 'connection', connection: this.#connection };
  }

  #connect(connection) {
    this.#emit([this.#connected({ polling: this.#connection.polling, ...connection })]);
  }

  async #pause(reason) {
    const delay = this.#hurry ? 0 : this.#backoff.next();
    this.#hurry = false;
    this.#connect({ phase: 'waiting', retryAt: Date.now() + delay, reason });
    if (delay === 0) return;
    let timer;
    await new Promise((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, delay);
    });
    this.#wake = () => {};
    clearTimeout(timer);
  }

  #now() {
    this.#backoff.reset();
    this.#wake();
  }

  #again(reason) {
    this.#hurry = true;
    this.#end(reason);
  }

  #end(reason) {
    this.#why = reason;
    this.#attempt?.abort();
  }

  #isSilent() {
    const silence = Date.now() - this.#lastHeard;
    return this.#connection.phase === 'live' && silence > this.#heartbeat + GRACE;
  }

  #tick() {
    const now = Date.now();
    const late = now - this.#lastTick - TICK;
    this.#lastTick = now;
    if (late > SLEPT && this.#isVisible()) this.suspect('this machine slept');
    else if (this.#connection.phase === 'live') this.check();
  }

  #startPolling() {
    if (this.#poller !== null) return;
    this.#polls = new AbortController();
    this.#pollFailed = false;
    this.#poller = setInterval(() => this.#poll(this.#polls.signal), POLL_EVERY);
  }

  #stopPolling() {
    clearInterval(this.#poller);
    this.#poller = null;
    this.#polls?.abort();
  }

  async #poll(signal) {
    try {
      const health = await this.#api.health(signal);
      let page;
      do {
        page = await this.#api.signals(this.#watermark(), PAGE, signal);
        if (signal.aborted) return;
        this.#page(page);
      } while (page.more);
      this.#emit([{ type: 'health', health }]);
      this.#polled(true);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status === 401) this.#refused(error);
      this.#polled(false);
    }
  }

  #polled(succeeded) {
    if (this.#connection.phase !== 'live') this.#connect({ ...this.#connection, polling: succeeded });
    // It is back: no need to wait for the end of a long pause.
    if (succeeded && this.#pollFailed && this.#connection.phase === 'waiting') this.#now();
    this.#pollFailed = !succeeded;
  }
}
