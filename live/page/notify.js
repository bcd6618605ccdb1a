// Notifications of new signals and of what became of them. The service worker shows them when no tab is in view.

import { decimal } from './format.js';

/** A page that is loaded again is mostly live by then. */
const ASK_AFTER = 100;

/** The worker shows texts as they come. */
function inReadersForm(signal) {
  const form = (price) => (price === null ? null : decimal(price));
  return { ...signal, entry_price: form(signal.entry_price), stop_loss: form(signal.stop_loss), take_profit: signal.take_profit?.map(decimal) ?? null };
}

export class Notifier {
  #button;
  #settings;

  /**
   * @param {HTMLElement} button asks the browser for permission
   * @param {() => object} settings which kinds are wanted, see settings.js
   * @param {() => void} asked the browser has been asked
   */
  constructor(button, settings, asked) {
    this.#button = button;
    this.#settings = settings;
    button.addEventListener('click', async () => {
      await Notification.requestPermission();
      this.#show();
      asked();
    });
    // Later, because the browser takes milliseconds to answer what is allowed, and nothing that is painted first waits for it.
    setTimeout(() => this.#show(), ASK_AFTER);
  }

  /** @param {object[]} signals new ones that have not expired */
  async offer(signals) {
    if (signals.length > 0 && this.#settings().notifySignals) await this.#send({ type: 'signals', signals: signals.map(inReadersForm) });
  }

  /** @param {{id: number, words: string}[]} settled signals, and what became of them */
  async offerSettled(settled) {
    if (settled.length > 0 && this.#settings().notifyOutcomes) await this.#send({ type: 'settled', settled });
  }

  /** The session ends soon, or has ended. */
  async offerSession(words) {
    if (this.#settings().notifySession) await this.#send({ type: 'session', words });
  }

  async #send(message) {
    if (!this.#isPossible() || Notification.permission !== 'granted') return;
    const worker = (await navigator.serviceWorker.ready).active;
    worker?.postMessage(message);
  }

  /** Removes those that are shown. */
  async clear() {
    if (!this.#isPossible()) return;
    try {
      const registration = await navigator.serviceWorker.getRegistration();
      // The worker may be about to show one, see inTurn in sw.js.
      await navigator.locks.request('signal_hub.notifications', async () => {
        for (const shown of (await registration?.getNotifications()) ?? []) shown.close();
      });
    } catch {
      // Service workers are forbidden, so there are no notifications.
    }
  }

  #isPossible() {
    return 'Notification' in globalThis && 'serviceWorker' in navigator;
  }

  #show() {
    this.#button.hidden = !this.#isPossible() || Notification.permission !== 'default';
  }
}
