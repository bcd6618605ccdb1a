// The page's own files, as the service worker keeps them.

/** So long after the page is live, so that nothing waits for this. */
const DELAY = 2_000;

/** Starts the service worker, and offers a newer version of the page when there is one. */
export class Shell {
  #workers = navigator.serviceWorker;
  #offer;
  #timer = null;

  /**
   * @param {HTMLElement} offer is shown when there is one
   * @param {HTMLElement} button loads it
   */
  constructor(offer, button) {
    this.#offer = offer;
    button.addEventListener('click', () => location.reload());
  }

  /** @param {(id: number) => void} open the subscriber clicked the notification of a signal */
  start(open) {
    if (!this.#workers) return;
    this.#workers.register('sw.js').catch(() => {
      // Without it the page works while the service is there.
    });
    this.#workers.addEventListener('message', ({ data }) => {
      if (data.type === 'open') open(data.id);
      if (data.type === 'renewed') this.#renewed();
    });
  }

  /** A connection was made: after a restart the service may have a newer page. */
  check() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#workers?.controller?.postMessage({ type: 'renew' }), DELAY);
  }

  #renewed() {
    if (document.hidden) location.reload();
    else this.#offer.hidden = false;
  }
}
