// The page's own files, as the service worker keeps them.

/** The check runs this long after the page is live, so that nothing waits for it. */
const DELAY = 2_000;
/** A page that has its worker already looks this long after the start whether it is the present one. */
const REGISTER_AFTER = 500;

/** Starts the service worker, and offers a newer version of the page when there is one. */
export class Shell {
  #workers = navigator.serviceWorker;
  #offer;
  #timer = null;
  #isSignedIn = true;

  /**
   * @param {HTMLElement} offer shown when there is a newer version
   * @param {HTMLElement} button loads the newer version
   */
  constructor(offer, button) {
    this.#offer = offer;
    button.addEventListener('click', () => location.reload());
  }

  /** @param {(id: number) => void} open the subscriber clicked the notification of a signal */
  start(open) {
    if (!this.#workers) return;
    const register = () => this.#workers.register('sw.js').catch(() => {
      // Without it the page still works while the service can be reached.
    });
    if (this.#workers.controller === null) register();
    else setTimeout(register, REGISTER_AFTER);
    this.#workers.addEventListener('message', ({ data }) => {
      if (data.type === 'open') open(data.id);
      if (data.type === 'renewed') this.#renewed();
    });
  }

  /** Looks for a newer version; called after each connection, because a restarted service may have one. */
  check() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#workers?.controller?.postMessage({ type: 'renew' });
      this.#saySigned();
    }, DELAY);
  }

  /** Whether somebody is signed in: else no tab counts as in view. That somebody is can wait until the page is live. */
  signed(isSignedIn) {
    this.#isSignedIn = isSignedIn;
    if (!isSignedIn) this.#saySigned();
  }

  #saySigned() {
    this.#workers?.controller?.postMessage({ type: 'signed', isSignedIn: this.#isSignedIn });
  }

  #renewed() {
    if (document.hidden) location.reload();
    else this.#offer.hidden = false;
  }
}
