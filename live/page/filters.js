// The filter above the list: its fields, and the address that holds it.

import { element, setAttribute, setText } from './dom.js';
import { ALL, filterOf, hashOf, leavesOut } from './filter.js';

const FIELDS = Object.keys(ALL);

export class Filters {
  #at;
  #changed;
  #signal = null;
  #symbols = '';

  /** What is asked for, see filter.js. */
  current = { ...ALL };

  /**
   * @param {(id: string) => HTMLElement} at
   * @param {() => void} changed
   */
  constructor(at, changed) {
    this.#at = at;
    this.#changed = changed;
    at('filters').addEventListener('input', () => this.#take());
    at('filters').addEventListener('submit', (event) => event.preventDefault());
    at('filters-reset').addEventListener('click', () => this.reset());
    at('filters-toggle').addEventListener('click', () => this.#toggle());
    this.route();
  }

  get leavesOut() {
    return leavesOut(this.current);
  }

  /** The address has changed. */
  route() {
    const filter = filterOf(location.hash);
    if (FIELDS.every((name) => filter[name] === this.current[name])) return;
    this.current = filter;
    this.#show();
    this.#changed();
  }

  reset() {
    this.current = { ...ALL };
    this.#show();
    this.#write();
    this.#changed();
  }

  /** The signal that is open, or null, goes into the address, too. */
  opened(signal) {
    this.#signal = signal;
    this.#write();
  }

  /** The symbols to choose from. */
  offer(symbols) {
    const sorted = [...new Set([...symbols, this.current.symbol])].filter(Boolean).sort();
    const text = JSON.stringify(sorted);
    if (text === this.#symbols) return;
    this.#symbols = text;
    this.#field('symbol').replaceChildren(element('option', { value: '' }, 'All symbols'), ...sorted.map((symbol) => element('option', { value: symbol }, symbol)));
    this.#field('symbol').value = this.current.symbol;
  }

  /** How many are listed, of how many that are known; `hasMore` where older ones are not read yet. */
  count(listed, known, hasMore) {
    const all = `${known}${hasMore ? ' or more' : ''}`;
    setText(this.#at('count'), this.leavesOut ? `${listed} of ${all}` : `${all} ${known === 1 && !hasMore ? 'signal' : 'signals'}`);
    setAttribute(this.#at('filters-reset'), 'hidden', !this.leavesOut && this.current.sort === ALL.sort);
  }

  #take() {
    const filter = Object.fromEntries(FIELDS.map((name) => [name, this.#field(name).value]));
    this.current = { ...filter, q: filter.q.trim() };
    this.#write();
    this.#changed();
  }

  #show() {
    this.offer(this.#symbols === '' ? [] : JSON.parse(this.#symbols));
    for (const name of FIELDS) this.#field(name).value = this.current[name];
  }

  #toggle() {
    const isOpen = this.#at('filters').classList.toggle('unfolded');
    setAttribute(this.#at('filters-toggle'), 'aria-expanded', String(isOpen));
  }

  /** Without an entry in the history: going back leaves the page, not each letter of a search. */
  #write() {
    const hash = hashOf(this.current, this.#signal);
    setAttribute(this.#at('to-signals'), 'href', hash === '' ? '#view=signals' : `#${hash}`);
    if (new URLSearchParams(location.hash.slice(1)).get('view') === 'record') return;
    const address = location.pathname + location.search + (hash === '' ? '' : `#${hash}`);
    if (address !== location.pathname + location.search + location.hash) history.replaceState(null, '', address);
  }

  #field(name) {
    return this.#at(`filter-${name}`);
  }
}
