// Signals older than those that are kept at hand, read page by page when somebody looks for them. They
// live as long as the tab: neither other tabs nor the next visit need them.

import { Refused } from './api.js';
import { KEPT } from './store.js';

/** Rows asked for at once. */
const PAGE = 500;
/** Most that are held. A tab with more would take more memory than a phone has for one. */
export const MOST = 20_000;

export class Archive {
  #api;
  #state;
  #on;
  #stopped = new AbortController();
  /** Below this number everything is still to be read; null before the first page. */
  #before = null;
  /** Where the pages began: between it and what is at hand there may be a gap. */
  #top = null;
  #reads = 0;
  #isMoreRead = false;
  #isWhole = false;
  #isFull = false;
  #why = '';

  /** What is known: by id as text. Replaced with each change. */
  older = { signals: {}, outcomes: {}, phase: 'idle', why: '' };

  /**
   * @param {import('./api.js').Api} api
   * @param {() => object} state what is at hand, see store.js
   * @param {object} on
   * @param {() => void} on.changed `older` was replaced
   * @param {(error: Refused) => void} on.refused the service does not accept the token
   */
  constructor(api, state, on) {
    this.#api = api;
    this.#state = state;
    this.#on = on;
  }

  /** Whether there may be signals that are not known. A subscriber with fewer than are kept has no older ones. */
  get hasMore() {
    if (this.#isWhole) return false;
    return this.#before !== null || Object.keys(this.#state().signals).length >= KEPT;
  }

  /** Reads the next page, unless one is being read. */
  async more() {
    if (this.#isMoreRead || !this.hasMore) return;
    this.#isMoreRead = true;
    this.#before ??= this.#top = lowest(this.#state());
    await this.#read(this.#before, PAGE, (page) => {
      this.#before = page.signals.at(-1)?.signal_id ?? this.#before;
      this.#isFull = page.more && Object.keys(this.older.signals).length + page.signals.length >= MOST;
      this.#isWhole = this.#isFull || !page.more;
      this.#isMoreRead = false;
    });
    this.#isMoreRead = false;
  }

  /** Signals that are no longer kept at hand belong here from now on; those that were never shown are read. */
  async left(before, after) {
    if (this.#before === null) return;
    const gone = Object.keys(before.signals).filter((id) => !(id in after.signals) && !(id in this.older.signals));
    if (gone.length === 0) return;
    const of = (all) => Object.fromEntries(gone.filter((id) => id in all).map((id) => [id, all[id]]));
    this.#change(of(before.signals), of(before.outcomes));
    await this.#fill(lowest(after));
  }

  /** Reads one signal; says whether the subscriber has it. */
  async find(id) {
    const page = await this.#read(Number(id) + 1, 1, ({ signals }) => String(signals[0]?.signal_id) === id);
    return String(page?.signals[0]?.signal_id) === id;
  }

  /** A mark made here. */
  mark(id, marks) {
    const known = this.older.signals[id];
    if (known) this.#change({ [id]: { ...known, ...marks } });
  }

  stop() {
    this.#stopped.abort();
  }

  /** Reads from a number down to where the pages began. */
  async #fill(from) {
    const until = this.#top;
    this.#top = from;
    for (let before = from; before > until;) {
      const page = await this.#read(before, PAGE);
      if (page === null) {
        this.#top = Math.min(until, this.#top);
        return;
      }
      before = page.more ? page.signals.at(-1).signal_id : until;
    }
  }

  /** A page, which is added unless `take` says false; null when it could not be read. */
  async #read(before, limit, take = () => true) {
    this.#reads += 1;
    this.#why = '';
    this.#change();
    try {
      const page = await this.#api.before(before, limit, this.#stopped.signal);
      this.#reads -= 1;
      const byId = (rows) => Object.fromEntries(rows.map((row) => [String(row.signal_id), row]));
      if (take(page) === false) this.#change();
      else this.#change(byId(page.signals), byId(page.outcomes));
      return page;
    } catch (error) {
      this.#reads -= 1;
      if (this.#stopped.signal.aborted) return null;
      if (error instanceof Refused && error.status === 401) this.#on.refused(error);
      this.#why = error instanceof Refused ? error.message : 'the service cannot be reached';
      this.#isMoreRead = false;
      this.#change();
      return null;
    }
  }

  get #phase() {
    if (this.#reads > 0) return 'reading';
    if (this.#why !== '') return 'failed';
    if (this.#isFull) return 'full';
    return this.#isWhole ? 'whole' : 'idle';
  }

  #change(signals = {}, outcomes = {}) {
    if (this.#stopped.signal.aborted) return;
    const { older } = this;
    this.older = { signals: { ...older.signals, ...signals }, outcomes: { ...older.outcomes, ...outcomes }, phase: this.#phase, why: this.#why };
    this.#on.changed();
  }
}

function lowest({ signals }) {
  return Math.min(...Object.keys(signals).map(Number));
}
