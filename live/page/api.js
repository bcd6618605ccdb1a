// The service's HTTP interface. There are two kinds of failure: the service refused, or it was not reached.

/** The service answered with an error status. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.name = 'Refused';
    this.status = status;
  }
}

/** Longest wait for an answer; a stream has its own. */
const PATIENCE = 10_000;

export class Api {
  #token;
  #another;

  /**
   * @param {string} token of the subscriber who makes the requests
   * @param {(refused: string) => Promise<string | null>} another a token of the same subscriber in place of one that is not accepted; null if there is none
   */
  constructor(token, another = async () => null) {
    [this.#token, this.#another] = [token, another];
  }

  /** Further requests are made with this token, of the same subscriber. */
  renew(token) {
    this.#token = token;
  }

  /** Rows since a watermark, or the newest when it is null, with their outcomes and those of the `open` signals. */
  async signals(since, open, limit, signal) {
    const query = new URLSearchParams({ limit: String(limit), ...from(since, open) });
    return (await this.#fetch(`api/signals?${query}`, { signal: withPatience(signal) })).json();
  }

  /** Rows of signals with lower numbers than `before`, the newest first, with their outcomes. */
  async before(before, limit, signal) {
    const query = new URLSearchParams({ before: String(before), limit: String(limit) });
    return (await this.#fetch(`api/signals?${query}`, { signal: withPatience(signal) })).json();
  }

  async health(signal) {
    return (await this.#fetch('api/health', { signal: withPatience(signal) })).json();
  }

  /** Marks as viewed or clicked; the request is sent even if the page is closing. */
  async mark(id, marks) {
    const response = await this.#fetch(`api/signals/${id}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(marks),
      keepalive: true,
      signal: withPatience(),
    });
    return response.json();
  }

  /** Whether signals reach this subscriber, and why not. */
  async status(signal) {
    return (await this.#fetch('api/status', { signal: withPatience(signal) })).json();
  }

  async preferences(signal) {
    return (await this.#fetch('api/preferences', { signal: withPatience(signal) })).json();
  }

  /** Replaces all of them; returns them as they are now. */
  async setPreferences(preferences, signal) {
    const body = JSON.stringify(preferences);
    return (await this.#fetch('api/preferences', { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body, signal: withPatience(signal) })).json();
  }

  /** Adds this browser to those in which the subscriber is notified while no page is open. */
  async storePush(subscription) {
    const body = JSON.stringify(subscription);
    await this.#fetch('api/push', { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body, signal: withPatience() });
  }

  /** Takes a browser away; the request is sent even if the page is closing. */
  async dropPush(endpoint) {
    const body = JSON.stringify({ endpoint });
    await this.#fetch('api/push', { method: 'DELETE', headers: { 'Content-Type': 'application/json' }, body, keepalive: true, signal: withPatience() });
  }

  /** Whether somebody looks at the page that reads a stream. */
  async sayVisible(stream, visible) {
    const body = JSON.stringify({ stream, visible });
    await this.#fetch('api/visible', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body, keepalive: true, signal: withPatience() });
  }

  /** The way of the price while a signal was open. */
  async path(id, signal) {
    return (await this.#fetch(`api/signals/${id}/path`, { signal: withPatience(signal) })).json();
  }

  /** The record of all signals; not of this subscriber alone. */
  async trackRecord(signal) {
    return (await this.#fetch('api/track-record', { signal: withPatience(signal) })).json();
  }

  /** The stream, as a response whose body does not end; also with the outcomes of the `open` signals. */
  async stream(since, open, signal) {
    const query = new URLSearchParams(from(since, open));
    return this.#fetch(query.size === 0 ? 'api/stream' : `api/stream?${query}`, { headers: { Accept: 'text/event-stream' }, signal });
  }

  async #fetch(path, options) {
    const token = this.#token;
    let response = await ask(path, options, token);
    // Asked for once: if the other one is not accepted either, the sign-in is over.
    const other = response.status === 401 ? await this.#another(token) : null;
    if (other !== null) response = await ask(path, options, other);
    if (response.ok) return response;
    const body = await response.json().catch(() => ({}));
    throw new Refused(response.status, body.error ?? `status ${response.status}`);
  }
}

function ask(path, options, token) {
  return fetch(path, { ...options, cache: 'no-store', headers: { ...options.headers, Authorization: `Bearer ${token}` } });
}

function from(since, open) {
  return { ...(since !== null && { since }), ...(open.length > 0 && { open: open.join() }) };
}

function withPatience(signal) {
  const patience = AbortSignal.timeout(PATIENCE);
  return signal ? AbortSignal.any([signal, patience]) : patience;
}
