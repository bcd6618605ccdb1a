// Tells the service whether somebody looks at this page. While they do, it sends no notifications to
// their other devices. Only the tab that holds the stream tells it, for all tabs of this browser.

/** A tab beside this one that is shown gives a sign of life every ten seconds. */
const BESIDE = 15_000;
const LOOK_EVERY = 5_000;
/** What is said counts for 45 seconds at the service. */
const SAY_EVERY = 20_000;

export class Presence {
  #api;
  #isVisible;
  /** What was said of the stream that is open. */
  #view = null;
  #besideAt = -Infinity;
  #timer = null;

  /**
   * @param {import('./api.js').Api} api
   * @param {() => boolean} isVisible whether this tab is shown
   */
  constructor(api, isVisible) {
    this.#api = api;
    this.#isVisible = isVisible;
  }

  /** @param {number | undefined} stream number of the stream that was opened; none where nobody wants to know */
  opened(stream) {
    this.stop();
    if (stream === undefined) return;
    this.#view = { stream, said: false, at: -Infinity, isAsking: false };
    this.#timer = setInterval(() => this.look(), LOOK_EVERY);
    this.look();
  }

  /** The stream is closed, which says enough. */
  stop() {
    clearInterval(this.#timer);
    this.#view = null;
  }

  /** A tab beside this one is shown, or is no more. */
  beside(isShown) {
    this.#besideAt = isShown ? performance.now() : -Infinity;
    this.look();
  }

  /** Tells what has changed, and from time to time that somebody still looks: one after the other, so that the last one counts. */
  async look() {
    const view = this.#view;
    if (view === null || view.isAsking) return;
    // The clock of the machine may be set.
    const now = performance.now();
    const isSeen = this.#isVisible() || now - this.#besideAt < BESIDE;
    if (isSeen === view.said && !(isSeen && now - view.at >= SAY_EVERY)) return;
    view.isAsking = true;
    try {
      await this.#api.sayVisible(view.stream, isSeen);
    } catch {
      // The next look tells it again.
      view.isAsking = false;
      return;
    }
    Object.assign(view, { said: isSeen, at: now, isAsking: false });
    this.look();
  }
}
