// Tells the service whether somebody looks at this page. While they do, it sends no notifications to
// their other devices. Only the tab that holds the stream tells it, for all tabs of this browser.

/** A tab beside this one that is shown gives a sign of life every ten seconds. */
const BESIDE = 15_000;
const LOOK_EVERY = 5_000;

export class Presence {
  #api;
  #isVisible;
  #stream = null;
  #said = false;
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
    this.#stream = stream;
    this.#timer = setInterval(() => this.look(), LOOK_EVERY);
    this.look();
  }

  /** The stream is closed, which says enough. */
  stop() {
    clearInterval(this.#timer);
    [this.#stream, this.#said] = [null, false];
  }

  /** A tab beside this one is shown, or is no more. */
  beside(isShown) {
    this.#besideAt = isShown ? Date.now() : -Infinity;
    this.look();
  }

  /** Tells what has changed. */
  look() {
    if (this.#stream === null) return;
    const isSeen = this.#isVisible() || Date.now() - this.#besideAt < BESIDE;
    if (isSeen === this.#said) return;
    this.#said = isSeen;
    this.#api.sayVisible(this.#stream, isSeen).catch(() => {
      // The next look tells it again.
      this.#said = !isSeen;
    });
  }
}
