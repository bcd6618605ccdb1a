// One signal in the list: a row that says what matters, and its details, which are built when they are
// opened. Captions are in the head of the list, and in each row for screen readers only.

import { Details } from './details.js';
import { element, setAttribute, setText, svgElement } from './dom.js';
import { isFinal } from './final.js';
import { decimal } from './format.js';
import { resultOf } from './outcome.js';
import { levelsOf, placeOnStrip, strip } from './plot.js';
import { nowText, priceNow } from './price.js';
import { age, expiry, isPast, openSince, wholeTime } from './time.js';

const ARROWS = { LONG: 'M6 1 11 10H1z', SHORT: 'M6 11 1 2h10z' };

/** One signal in a sentence, for a screen reader. */
export function sentence(signal) {
  const prices = levelsOf(signal) === null
    ? 'prices are withheld'
    : `entry ${decimal(signal.entry_price)}, stop ${decimal(signal.stop_loss)}, targets ${signal.take_profit.map(decimal).join(', ')}`;
  return `${signal.signal_type} ${signal.symbol}, ${openSince(signal) === null ? '' : 'which came late, '}${prices}, strength of the move ${short(signal.confidence)} of 100.`;
}

export class Card {
  #signal;
  #outcome;
  #on;
  #button;
  #age;
  #expiry;
  #new;
  #result;
  #percent;
  #latest;
  #price;
  #mark;
  #box;
  #details = null;
  #wasExpired = null;

  /**
   * @param {boolean} isFresh whether it came while the page was open
   * @param {object} on
   * @param {(id: number) => void} on.toggled called when the subscriber opens or closes it
   * @param {(id: number) => Promise<object>} on.path reads the way of the price
   */
  constructor(signal, isFresh, on) {
    this.#signal = signal;
    this.#on = on;
    this.#build();
    this.article.classList.toggle('fresh', isFresh);
  }

  get id() {
    return this.#signal.signal_id;
  }

  /** Only the marks of a signal can change, and its outcome; and prices that were withheld can come. */
  update(signal, outcome, now) {
    if (signal !== this.#signal) {
      const hadPrices = levelsOf(this.#signal) !== null;
      this.#signal = signal;
      this.#showMarks();
      if (!hadPrices && levelsOf(signal) !== null) this.#addPrices(now);
    }
    if (outcome !== this.#outcome) {
      this.#outcome = outcome;
      this.#showOutcome(now);
    }
  }

  #showOutcome(now) {
    const { kind, text, percent } = resultOf(this.#signal, this.#outcome, now);
    setAttribute(this.#result, 'data-kind', kind);
    setText(this.#result, text);
    setText(this.#percent, percent && `${percent} after fees`);
    setAttribute(this.#percent, 'hidden', percent === '');
    setAttribute(this.#percent, 'data-sign', percent.slice(0, 1) || null);
    this.#details?.showOutcome(this.#outcome, now);
  }

  /** @param {{price: string, at: string} | undefined} latest of its symbol */
  showPrice(latest, now) {
    this.#latest = latest;
    const shown = priceNow(this.#signal, this.#outcome, latest, now);
    const { text, sign } = nowText(this.#signal, shown);
    setText(this.#price, text);
    setAttribute(this.#price, 'hidden', text === '');
    setAttribute(this.#price, 'data-sign', sign);
    if (this.#mark !== null) {
      setAttribute(this.#mark, 'hidden', shown === null);
      if (shown !== null) setAttribute(this.#mark, 'x', placeOnStrip(this.#signal, shown.price) - 0.7);
    }
    this.#details?.showPrice(shown, now);
  }

  #addPrices(now) {
    this.article.querySelector('.withheld').replaceWith(...prices(this.#signal));
    this.#mark = this.article.querySelector('.strip .now');
    if (this.#details !== null) {
      this.#details = null;
      this.#box.replaceChildren();
      if (!this.#box.hidden) this.setOpen(true, now);
    }
    this.showPrice(this.#latest, now);
  }

  #showMarks() {
    setAttribute(this.#new, 'hidden', this.#signal.viewed);
  }

  /** Shows the time that has passed, by the server's clock. */
  tick(now) {
    setText(this.#age, age(openSince(this.#signal) ?? this.#signal.created_at, now));
    setText(this.#expiry, expiry(this.#signal.expires_at, now));
    const isExpired = isPast(this.#signal.expires_at, now);
    this.showPrice(this.#latest, now);
    // What is settled stays so.
    if (this.article.classList.toggle('expired', isExpired) !== this.#wasExpired) this.#showOutcome(now);
    this.#wasExpired = isExpired;
  }

  /** Shows or hides the details. */
  setOpen(isOpen, now) {
    if (isOpen && this.#details === null) {
      this.#details = new Details(this.#signal, isFinal(this.#outcome), { close: () => this.#on.toggled(this.id), path: this.#on.path });
      this.#details.showOutcome(this.#outcome, now);
      this.showPrice(this.#latest, now);
      this.#box.append(...this.#details.elements);
    }
    if (!isOpen) this.#details?.closeChart();
    setAttribute(this.#button, 'aria-expanded', String(isOpen));
    setAttribute(this.#box, 'hidden', !isOpen);
    this.element.classList.toggle('open', isOpen);
  }

  focus() {
    this.#button.focus();
  }

  #build() {
    const signal = this.#signal;
    const [titleId, detailsId] = [`signal-${signal.signal_id}`, `signal-${signal.signal_id}-details`];
    this.#button = element(
      'button',
      { type: 'button', 'aria-expanded': 'false', 'aria-controls': detailsId },
      svgElement('svg', { class: 'arrow', viewBox: '0 0 12 12', 'aria-hidden': 'true' }, svgElement('path', { d: ARROWS[signal.signal_type] })),
      element('span', { class: 'side' }, signal.signal_type),
      ' ',
      element('span', { class: 'symbol' }, signal.symbol),
      ...(openSince(signal) === null ? [] : [' ', element('span', { class: 'late' }, 'late')]),
    );
    this.#button.addEventListener('click', () => this.#on.toggled(this.id));
    this.#new = element('span', { class: 'new' }, 'new');
    this.#age = element('time', { datetime: signal.created_at, title: wholeTime(signal.created_at) });
    this.#expiry = element('time', { class: 'expiry', datetime: signal.expires_at, title: wholeTime(signal.expires_at) });
    this.#result = element('dd', { class: 'result' });
    this.#percent = element('dd', { class: 'percent' });
    this.#price = element('dd', { class: 'now', hidden: true });
    this.#box = element('div', { id: detailsId, class: 'details', role: 'region', 'aria-label': `Details of ${signal.signal_type} ${signal.symbol}`, hidden: true });
    this.article = element(
      'article',
      { class: `card ${signal.signal_type === 'LONG' ? 'long' : 'short'}`, 'aria-labelledby': titleId },
      element('div', { class: 'row' },
        element('h2', { id: titleId }, this.#button),
        this.#new,
        element('p', { class: 'times' }, this.#age, ' ', this.#expiry),
        ...prices(signal),
        element('dl', { class: 'outcome' }, caption('Outcome'), ' ', this.#price, ' ', this.#result, ' ', this.#percent),
        element('dl', { class: 'scores' }, score('Strength of the move', signal.confidence), score('Quality', signal.quality_score))),
      this.#box,
    );
    this.#mark = this.article.querySelector('.strip .now');
    this.element = element('li', { 'data-signal-id': signal.signal_id }, this.article);
    this.#showMarks();
  }
}

function prices(signal) {
  if (levelsOf(signal) === null) {
    return [element('p', { class: 'withheld' }, `Prices are withheld: signals of tier ${signal.tier} come without entry, targets and stop.`)];
  }
  const fact = (kind, name, ...values) =>
    element('div', { class: kind }, caption(name), ...values.flatMap((value) => [' ', element('dd', {}, decimal(value))]));
  return [
    element('dl', { class: 'levels' },
      fact('entry', 'Entry', signal.entry_price),
      fact('stop', 'Stop', signal.stop_loss),
      fact('target', signal.take_profit.length > 1 ? 'Targets' : 'Target', ...signal.take_profit)),
    strip(signal),
  ];
}

const caption = (name) => element('dt', { class: 'unseen' }, name);

const score = (name, value) => element('div', {}, caption(name), ' ', element('dd', {}, short(value)));

/** With at most one digit after the point. */
export function short(number) {
  return decimal(Math.round(Number(number) * 10) / 10);
}
