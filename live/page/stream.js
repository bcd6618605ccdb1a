// The one connection to the service: opens the stream, notices when it is dead,
// comes back with backoff from the last resume point, and reads every few seconds
// while there is no stream.
//
// phase of the connection, as the page shows it:
//   connecting   an attempt is under way
//   live         the service said hello and was heard lately
//   waiting      the last attempt failed; the next is at retryAt (this machine's clock)
// With it: polling, whether the last read without a stream succeeded; reason, why
// it is not live, in words.

import { Refused } from './api.js';
import { Backoff } from './backoff.js';
import { actionsOf, actionsOfPage } from './events.js';
import { PAGE, Polling } from './polling.js';
import { EventParser } from './sse.js';

/** Longest time until an open stream says hello: behind a proxy that collects the reply it never does. */
const HELLO_WITHIN = 10_000;
/** After a stream that lasted this long, the backoff starts with the first wait again. */
const GOOD_AFTER = 5_000;
const TICK = 1_000;
/** A tick that is this late means that the machine slept, if the tab is shown: hidden tabs are throttled. */
const SLEPT = 5_000;
/** How much later than promised a heartbeat may come. */
const GRACE = 5_000;
const GOODBYES = {
  slow: 'this browser did not keep up',
  shutdown: 'the service is restarting',
  expired: 'the sign-in expired',
  replaced: 'the page is open on too many devices',
};

export class Stream {
  #api;
  #watermark;
  #open;
  #emit;
  #refused;
  #isVisible;
  #opened;
  #backoff;
  #polling;
  /** See start.js; null when it is in use. */
  #begun;

  #running = null;
  #attempt = null;
  #wake = () => {};
  #connection = { phase: 'connecting', polling: false };
  #retryAtOnce = false;
  /** Why the attempt under way ends, where that is known. */
  #why;
  #lastHeard = 0;
  #heartbeat = 15_000;
  #ticker = null;
  #lastTick = 0;
  #pollFailed = false;

  /**
   * @param {object} options
   * @param {import('./api.js').Api} options.api
   * @param {() => string | null} options.watermark the last resume point received
   * @param {() => string[]} options.open ids of the signals whose outcome is not known for good
   * @param {(actions: object[]) => void} options.emit takes actions for the store
   * @param {(error: Refused) => void} options.refused the service does not accept the token
   * @param {() => boolean} options.isVisible whether this tab is shown
   * @param {(stream: number | undefined) => void} options.opened a stream is open, and its number where the service gave one
   * @param {Backoff} [options.backoff]
   * @param {import('./start.js').Begun | null} [options.begun] the first attempt, which is under way
   */
  constructor({ api, watermark, open, emit, refused, isVisible, opened, backoff = new Backoff(), begun = null }) {
    this.#api = api;
    this.#watermark = watermark;
    this.#open = open;
    this.#emit = emit;
    this.#refused = refused;
    this.#isVisible = isVisible;
    this.#opened = opened;
    this.#backoff = backoff;
    this.#begun = begun;
    this.#polling = new Polling(api, watermark, open, { actions: emit, refused, ended: (succeeded) => this.#polled(succeeded) });
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
    this.#polling.stop();
  }

  /** Finds out now whether the connection is dead, or can be made again. */
  check() {
    if (this.#connection.phase === 'waiting') this.#attemptNow();
    else if (this.#isSilent()) this.#reconnect('nothing was heard for too long');
  }

  /** The network changed, or the machine slept: a connection that looks open may be dead. */
  suspect(reason) {
    if (this.#connection.phase === 'waiting') this.#attemptNow();
    else this.#reconnect(reason);
  }

  async #run(stopped) {
    while (!stopped.aborted) {
      // It was given up where this tab did not have the lock at once.
      const begun = this.#begun?.attempt.signal.aborted ? null : this.#begun;
      this.#begun = null;
      this.#attempt = begun?.attempt ?? new AbortController();
      this.#why = undefined;
      this.#startPolling();
      const began = Date.now();
      // The request goes out before the page is told, because painting takes time.
      const attempt = this.#once(this.#attempt, begun?.stream);
      this.#connect({ phase: 'connecting' });
      const reason = await attempt.then(
        () => this.#why ?? 'the service closed the stream',
        (error) => this.#reasonOf(error, stopped),
      );
      if (stopped.aborted) return;
      if (this.#connection.phase === 'live' && Date.now() - began > GOOD_AFTER) this.#backoff.reset();
      this.#startPolling();
      await this.#pause(reason);
    }
  }

  /** Why an attempt ended, in words. */
  #reasonOf(error, stopped) {
    if (stopped.aborted) return '';
    if (error instanceof Refused) {
      if (error.status === 401 || error.status === 403) this.#refused(error);
      // Only the resume point can be wrong in such a request: start without one.
      if (error.status === 400) this.#emit([{ type: 'watermark', watermark: null }]);
      return error.message;
    }
    return this.#why ?? 'the service cannot be reached';
  }

  /** From the opening of a stream to its end. */
  async #once(attempt, begun) {
    const patience = setTimeout(() => this.#end('the service did not answer in time'), HELLO_WITHIN);
    try {
      if (this.#watermark() === null) this.#emit(actionsOfPage(await this.#api.signals(null, [], PAGE, attempt.signal)));
      const { reader, first } = (await begun) ?? await this.#ask(attempt);
      const decoder = new TextDecoder();
      const parser = new EventParser();
      for (let next = first; ; next = reader.read()) {
        const { done, value } = await next;
        if (done) return;
        this.#lastHeard = Date.now();
        const events = parser.feed(decoder.decode(value, { stream: true }));
        const actions = events.flatMap((event) => this.#take(event, patience));
        if (actions.length > 0) this.#emit(actions);
      }
    } finally {
      clearTimeout(patience);
      // Ends the reading if an error came from elsewhere.
      attempt.abort();
    }
  }

  async #ask(attempt) {
    const response = await this.#api.stream(this.#watermark(), this.#open(), attempt.signal);
    const reader = response.body.getReader();
    return { reader, first: reader.read() };
  }

  #take(event, patience) {
    const actions = actionsOf(event);
    if (event.event === 'hello') {
      clearTimeout(patience);
      this.#polling.stop();
      const { heartbeat_seconds, stream } = JSON.parse(event.data);
      this.#heartbeat = heartbeat_seconds * 1_000;
      this.#opened(stream);
      actions.push(this.#connected({ phase: 'live' }));
    }
    // The stream ends after this; an expired token is refused at the next attempt.
    if (event.event === 'bye') {
      const { reason } = JSON.parse(event.data);
      this.#why = GOODBYES[reason];
      // There may be a new token by now.
      if (reason === 'expired') this.#retryAtOnce = true;
    }
    return actions;
  }

  #connected(connection) {
    this.#connection = { polling: false, ...connection };
    return { type: 'connection', connection: this.#connection };
  }

  #connect(connection) {
    this.#emit([this.#connected({ polling: this.#connection.polling, ...connection })]);
  }

  async #pause(reason) {
    const delay = this.#retryAtOnce ? 0 : this.#backoff.next();
    this.#retryAtOnce = false;
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

  #attemptNow() {
    this.#backoff.reset();
    this.#wake();
  }

  #reconnect(reason) {
    this.#retryAtOnce = true;
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
    const passed = now - this.#lastTick;
    this.#lastTick = now;
    // Set back, it cannot tell for how long nothing was heard.
    if (passed < 0) this.suspect('the clock of this machine was set back');
    else if (passed - TICK > SLEPT && this.#isVisible()) this.suspect('this machine slept');
    else if (this.#connection.phase === 'live') this.check();
  }

  #startPolling() {
    if (this.#polling.start()) this.#pollFailed = false;
  }

  #polled(succeeded) {
    if (this.#connection.phase !== 'live') this.#connect({ ...this.#connection, polling: succeeded });
    // The service is back: do not wait for the end of a long pause.
    if (succeeded && this.#pollFailed && this.#connection.phase === 'waiting') this.#attemptNow();
    this.#pollFailed = !succeeded;
  }
}
