// Notifications of new signals. The service worker shows them when no tab is in view.

export class Notifier {
  #button;

  /** @param {HTMLElement} button asks the browser for permission */
  constructor(button) {
    this.#button = button;
    button.addEventListener('click', async () => {
      await Notification.requestPermission();
      this.#show();
    });
    // Later, because the browser takes milliseconds to answer what is allowed.
    setTimeout(() => this.#show());
  }

  /** @param {object[]} signals new ones that have not expired */
  async offer(signals) {
    if (signals.length === 0 || !this.#isPossible() || Notification.permission !== 'granted') return;
    const worker = (await navigator.serviceWorker.ready).active;
    worker?.postMessage({ type: 'signals', signals });
  }

  /** Removes those that are shown. */
  async clear() {
    if (!this.#isPossible()) return;
    try {
      const registration = await navigator.serviceWorker.getRegistration();
      for (const shown of (await registration?.getNotifications()) ?? []) shown.close();
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
