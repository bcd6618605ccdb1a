// The list of signals. Only the rows in view and some beside them are built, so that thousands scroll as
// a few do; the one that is open stays, and so does the one that has the focus.

import { offsetOf, windowOf } from './windowing.js';

/** Rows that are built before the first paint; they fill most windows. */
const AT_ONCE = 16;
/** Near to the end are so many heights of the window. */
const NEAR = 3;
/** Most rows of a printed list. */
const PRINTED = 500;

export class List {
  #list;
  #before;
  #after;
  #make;
  #removed;
  #ids = [];
  /** By id, for the rows that are built. */
  #built = new Map();
  #indexes = new Map();
  #openId = null;
  #rowHeight = 0;
  #openExtra = 0;
  #frame = null;
  #later = null;
  /** Where the view was when it was last looked at: how far below the beginning of the list, and how high. */
  #view = null;
  #isPrinting = false;
  #sizes;

  /**
   * @param {{list: HTMLElement, before: HTMLElement, after: HTMLElement}} elements the list, and what stands for rows before and after it
   * @param {object} on
   * @param {(id: string) => {element: HTMLElement}} on.make a row
   * @param {(id: string, row: object) => void} on.removed a row left the page
   * @param {() => void} on.nearEnd somebody scrolled near to the end of the list
   */
  constructor({ list, before, after }, { make, removed, nearEnd }) {
    [this.#list, this.#before, this.#after, this.#make, this.#removed] = [list, before, after, make, removed];
    addEventListener('scroll', () => this.#isNearEnd() && nearEnd(), { passive: true });
    addEventListener('scroll', () => this.#soon(), { passive: true });
    addEventListener('resize', () => this.#soon());
    // The height of an open row changes with the width of the window, and rows with the size of letters.
    this.#sizes = new ResizeObserver(() => this.#soon());
    addEventListener('beforeprint', () => this.#print(true));
    addEventListener('afterprint', () => this.#print(false));
  }

  /** The rows that are built, with their ids. */
  get built() {
    return this.#built;
  }

  get length() {
    return this.#ids.length;
  }

  /** Shows these, in this order. */
  set(ids) {
    this.#ids = ids;
    this.#indexes = new Map(ids.map((id, index) => [id, index]));
    // Where the view was at the last frame is good enough until the next one looks: to measure now would lay out
    // the page twice.
    if (this.#built.size > 0 && this.#view !== null && !this.#isHidden()) {
      this.#show(this.#place());
      this.#soon();
    } else {
      this.#refresh(this.#built.size === 0);
    }
  }

  has(id) {
    return this.#indexes.has(id);
  }

  /** Keeps this row, wherever the view is; null for none. */
  keepOpen(id) {
    if (this.#openId !== null) this.#sizes.disconnect();
    this.#openId = id;
    this.#openExtra = 0;
    this.#refresh();
    const row = this.#built.get(id);
    if (row) this.#sizes.observe(row.element);
  }

  /** Brings a row into view. */
  reveal(id) {
    const index = this.#indexes.get(id);
    if (index === undefined) return;
    this.#measure();
    this.#look();
    const { top } = this.#view;
    const y = offsetOf(index, this.#place());
    const head = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
    const isInView = y >= top + head && y + this.#rowHeight <= top + innerHeight;
    if (!isInView) scrollBy({ top: y - top - innerHeight / 3, behavior: 'instant' });
    this.#refresh();
  }

  clear() {
    for (const id of [...this.#built.keys()]) this.#remove(id);
    clearTimeout(this.#later);
    this.#later = null;
    this.#openId = null;
    this.#view = null;
    this.#ids = [];
    this.#indexes.clear();
    this.#space(0, 0);
  }

  #isHidden() {
    return this.#list.closest('[hidden]') !== null;
  }

  #soon() {
    this.#frame ??= requestAnimationFrame(() => this.#refresh());
  }

  #isNearEnd() {
    this.#look();
    const { top, height, row } = this.#place();
    return top + height > this.#ids.length * row - NEAR * height;
  }

  #top() {
    return -(this.#before.offsetHeight > 0 ? this.#before : this.#list).getBoundingClientRect().top;
  }

  #look() {
    this.#view = { top: this.#top(), height: innerHeight };
  }

  #place() {
    const open = this.#openId === null ? -1 : (this.#indexes.get(this.#openId) ?? -1);
    return { ...this.#view, row: this.#rowHeight || 48, open, extra: this.#openExtra };
  }

  #measure() {
    for (const [id, { element }] of this.#built) {
      const height = element.getBoundingClientRect().height;
      if (height === 0) return;
      if (id !== this.#openId) {
        this.#rowHeight = height;
        break;
      }
    }
    const open = this.#built.get(this.#openId);
    if (!open) return;
    const whole = open.element.getBoundingClientRect().height;
    const row = open.element.querySelector('.row').getBoundingClientRect().height;
    if (this.#built.size === 1) this.#rowHeight = row;
    this.#openExtra = Math.max(0, whole - Math.max(row, this.#rowHeight));
  }

  /** Builds what is to be seen; the first time only as much as a window holds, and the rest a moment later. */
  #refresh(isFirst = false) {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = null;
    if (this.#isHidden() && this.#built.size > 0) return;
    if (!isFirst) {
      this.#measure();
      this.#look();
    }
    this.#show(isFirst ? { top: 0, height: 0, row: this.#rowHeight || 48 } : this.#place(), isFirst);
  }

  #show(place, isFirst = false) {
    let { from, to, before, after } = windowOf(this.#ids.length, place);
    if (this.#isPrinting) [from, to, before, after] = [0, Math.min(PRINTED, this.#ids.length), 0, 0];
    if (isFirst && to > AT_ONCE) {
      to = AT_ONCE;
      this.#later ??= setTimeout(() => { this.#later = null; this.#refresh(); });
    }
    this.#lay(this.#ids.slice(from, to), place, before);
    this.#space(before, after);
  }

  #lay(ids, place, before) {
    const wanted = new Set(ids);
    const focused = document.activeElement?.closest('#list > li')?.dataset.signalId;
    for (const id of [...this.#built.keys()]) {
      const isKept = (id === this.#openId || id === focused) && this.#indexes.has(id);
      if (wanted.has(id)) this.#settle(id);
      else if (isKept) this.#putAway(id, offsetOf(this.#indexes.get(id), place) - before);
      else this.#remove(id);
    }
    let next = this.#firstInFlow();
    for (const id of ids) {
      const row = this.#built.get(id) ?? this.#build(id);
      if (row.element === next) next = this.#nextInFlow(next);
      else this.#list.insertBefore(row.element, next);
    }
  }

  #firstInFlow() {
    const first = this.#list.firstElementChild;
    return first === null || !first.classList.contains('away') ? first : this.#nextInFlow(first);
  }

  #nextInFlow(element) {
    let next = element.nextElementSibling;
    while (next?.classList.contains('away')) next = next.nextElementSibling;
    return next;
  }

  #build(id) {
    const row = this.#make(id);
    this.#built.set(id, row);
    return row;
  }

  /** A row that is kept though it is outside of the window: it stands in its place, without those between. */
  #putAway(id, top) {
    const { element } = this.#built.get(id);
    element.classList.add('away');
    element.style.top = `${top}px`;
  }

  #settle(id) {
    const { element } = this.#built.get(id);
    if (!element.classList.contains('away')) return;
    element.classList.remove('away');
    element.style.removeProperty('top');
  }

  #remove(id) {
    const row = this.#built.get(id);
    this.#built.delete(id);
    row.element.remove();
    this.#removed(id, row);
  }

  #space(before, after) {
    this.#before.style.height = `${before}px`;
    this.#after.style.height = `${after}px`;
  }

  #print(isPrinting) {
    this.#isPrinting = isPrinting;
    this.#refresh();
  }
}
