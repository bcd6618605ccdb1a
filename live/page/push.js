// Notifications while every page is closed: this browser's subscription at its push service, and that
// the service of this page knows it. The service worker shows what comes, see sw.js.

const KEY = 'signal_hub.push';
/** The service is told again after this time: it may have lost what it knew. */
const TELL_EVERY = 86_400_000;
/** Where the browser lets the service worker look after its files and subscription, it does twice a day. */
const LOOK_EVERY = 43_200_000;

/** Bytes of base64url. */
export function bytesOf(text) {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}

/** Whether a subscription was made for a key. */
export function isFor(subscription, key) {
  const made = new Uint8Array(subscription.options.applicationServerKey ?? []);
  const wanted = bytesOf(key);
  return made.length === wanted.length && made.every((byte, place) => byte === wanted[place]);
}

/** Whether the service need not be told of a subscription, by what was kept when it was told last. */
export function isTold(kept, userId, endpoint, now) {
  return kept?.userId === userId && kept.endpoint === endpoint && now - kept.at < TELL_EVERY && now >= kept.at;
}

async function current() {
  const registration = await navigator.serviceWorker.ready;
  return registration.pushManager.getSubscription();
}

export class Push {
  #storage;
  #settings;
  #key = null;
  #userId = null;
  #api = null;
  /** Counts those who signed out: what was begun for them is undone. */
  #leaves = 0;
  /** One change after the other. */
  #turn = Promise.resolve();

  /**
   * @param {Storage | null} storage
   * @param {() => object} settings see settings.js
   */
  constructor(storage, settings) {
    this.#storage = storage;
    this.#settings = settings;
  }

  /** Whether this browser and the service have such notifications. */
  get isPossible() {
    return this.#key !== null && 'PushManager' in globalThis && 'Notification' in globalThis && 'serviceWorker' in navigator;
  }

  /** @param {string | null} key the public key of the service; null when it sends none */
  learn(key) {
    this.#key = key ?? null;
    this.sync();
  }

  /** Somebody is signed in. */
  enter(userId, api) {
    [this.#userId, this.#api] = [userId, api];
    this.sync();
  }

  /** Nobody is, as their time has ended: what they asked for goes on. */
  suspend() {
    [this.#userId, this.#api] = [null, null];
  }

  /**
   * The subscriber signs out: nothing comes to this browser any more. This waits for nothing, neither for the key
   * nor for what is under way, as the tab may be closed at once.
   */
  leave() {
    const [api, kept] = [this.#api, this.#kept()];
    this.suspend();
    this.#leaves += 1;
    if (!('PushManager' in globalThis && 'serviceWorker' in navigator)) return Promise.resolve();
    this.#turn = Promise.allSettled([this.#turn, this.#drop(kept?.endpoint, api)]);
    return this.#turn;
  }

  /** Subscribes, or ends it, as the settings and the browser's permission say. */
  sync() {
    return this.#queue(async () => {
      const [userId, api, key, leaves] = [this.#userId, this.#api, this.#key, this.#leaves];
      if (api === null) return;
      const { push, notifySignals } = this.#settings();
      let subscription = await current();
      const isWanted = push && notifySignals && Notification.permission === 'granted';
      let kept = this.#kept();
      const isRight = isWanted && kept?.userId === userId && (subscription === null || isFor(subscription, key));
      if (!isRight && (subscription !== null || kept !== null)) {
        await this.#drop(kept?.endpoint, api);
        [subscription, kept] = [null, null];
      }
      if (!isWanted || leaves !== this.#leaves) return;
      const registration = await navigator.serviceWorker.ready;
      subscription ??= await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(key) });
      if (leaves !== this.#leaves) {
        await subscription.unsubscribe();
        return;
      }
      if (isTold(kept, userId, subscription.endpoint, Date.now())) return;
      const { endpoint, keys } = subscription.toJSON();
      // Kept before, so that a subscription is never taken for that of somebody else.
      this.#keep({ userId, endpoint, at: 0 });
      await api.storePush({ endpoint, keys });
      if (leaves !== this.#leaves) {
        // The service may have stored it after it was taken away.
        await api.dropPush(endpoint);
        return;
      }
      this.#keep({ userId, endpoint, at: Date.now() });
      registration.active?.postMessage({ type: 'push', push: { user: userId, key, endpoint, auth: keys.auth } });
      // Only where the browser has it, and for pages that were installed.
      await registration.periodicSync?.register('signal_hub', { minInterval: LOOK_EVERY }).catch(() => {});
    });
  }

  /**
   * Ends the subscription, also one that the browser lost: by what the worker keeps of it, its owner would get another.
   * Nothing waits for the service; when it is not reached, the push service tells it when the next message comes.
   * @param {string | undefined} told the service knows this endpoint
   */
  async #drop(told, api) {
    this.#keep(null);
    const drop = (endpoint) => endpoint && api?.dropPush(endpoint).catch(() => {});
    const dropped = drop(told);
    const worker = navigator.serviceWorker.controller ?? (await navigator.serviceWorker.ready).active;
    worker?.postMessage({ type: 'push', push: null });
    const subscription = await current();
    await subscription?.unsubscribe();
    // Another one, where the worker moved it while no page was open.
    if (subscription?.endpoint !== told) await drop(subscription?.endpoint);
    await dropped;
  }

  #queue(work) {
    if (!this.isPossible) return Promise.resolve();
    this.#turn = this.#turn.then(work).catch(() => {
      // The browser or its push service refuses, or the service is not reached: the next visit tries again.
    });
    return this.#turn;
  }

  #kept() {
    try {
      return JSON.parse(this.#storage.getItem(KEY));
    } catch {
      return null;
    }
  }

  #keep(told) {
    try {
      if (told === null) this.#storage.removeItem(KEY);
      else this.#storage.setItem(KEY, JSON.stringify(told));
    } catch {
      // Forbidden or full: the service is told at each visit.
    }
  }
}
