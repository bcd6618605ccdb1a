// Who is signed in: the token, where it is kept, and what it says.
//
// It is kept in localStorage, so that a reload and further tabs need no new
// sign-in. It comes in the fragment of the address, which browsers send to no
// server, or is pasted. Only the service can say whether it is valid.

const KEY = 'signal_hub.token';

/** Where the page keeps things; null where the browser may store nothing, which throws when its storage is only named. */
export const storage = (() => {
  try {
    return localStorage;
  } catch {
    return null;
  }
})();

/** The token of `#token=...`, removed from the address bar and the history entry; null without one. */
export function takeTokenFromAddress(location, history) {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return token;
}

/**
 * What a token says of itself, not verified.
 * @returns {{userId: string, name: string, expiresAt: number | null} | null} null when it is not the token of a subscriber
 */
export function readToken(token) {
  const payload = token.trim().split('.')[1];
  if (!payload) return null;
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    const { sub, exp, email } = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof sub !== 'string' || sub === '') return null;
    const name = typeof email === 'string' && email !== '' ? email : sub;
    return { userId: sub, name, expiresAt: typeof exp === 'number' ? exp * 1_000 : null };
  } catch {
    return null;
  }
}

/** The token in use; where storage is forbidden it lasts as long as the tab. */
export class Session {
  #storage;
  #token = null;

  constructor(storage) {
    this.#storage = storage;
    this.#token = this.#quietly(() => storage.getItem(KEY)) ?? null;
  }

  get token() {
    return this.#token;
  }

  get userId() {
    return this.#token === null ? null : (readToken(this.#token)?.userId ?? null);
  }

  /** How the subscriber is shown: the address in the token, else the id. */
  get name() {
    return this.#token === null ? null : (readToken(this.#token)?.name ?? null);
  }

  set(token) {
    this.#token = token;
    try {
      this.#storage.setItem(KEY, token);
    } catch {
      // Full or forbidden. An earlier token must not sign in at the next load.
      this.#remove();
    }
  }

  forget() {
    this.#token = null;
    this.#remove();
  }

  /** Calls back when another tab signed in, renewed the token or signed out. */
  onChangedElsewhere(target, call) {
    target.addEventListener('storage', (event) => {
      // A null key is clear().
      if (event.key !== KEY && event.key !== null) return;
      this.#token = event.key === null ? null : event.newValue;
      call();
    });
  }

  #remove() {
    this.#quietly(() => this.#storage.removeItem(KEY));
  }

  #quietly(action) {
    try {
      return action();
    } catch {
      return undefined;
    }
  }
}
