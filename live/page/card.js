// One signal as a card.

import { element, setAttribute, setText, svgElement } from './dom.js';
import { outcomeFacts, resultOf } from './outcome.js';
import { levelsOf, percentText, plot, rewardToRisk, strip } from './plot.js';
import { age, expiry, isPast, wholeTime } from './time.js';

const ARROWS = { LONG: 'M6 1 11 10H1z', SHORT: 'M6 11 1 2h10z' };

/** One signal in a sentence, for a screen reader. */
export function sentence(signal) {
  const prices = levelsOf(signal) === null
    ? 'prices are withheld'
    : `entry ${signal.entry_price}, stop ${signal.stop_loss}, targets ${signal.take_profit.join(', ')}`;
  return `${signal.signal_type} ${signal.symbol}, ${prices}, strength of the move ${short(signal.confidence)} of 100.`;
}

export class Card {
  #signal;
  #outcome;
  #opened;
  #button;
  #age;
  #expiry;
  #new;
  #result;
  #percent;
  #details;
  /** Names and values of the outcome in the details, once they are built. */
  #facts = [];
  #isOpen = false;
  #wasExpired = null;

  /**
   * @param {boolean} isFresh whether it came while the page was open
   * @param {(id: number) => void} opened called when the subscriber opens it
   */
  constructor(signal, isFresh, opened) {
    this.#signal = signal;
    this.#opened = opened;
    this.#build();
    this.article.classList.toggle('fresh', isFresh);
  }

  get id() {
    return this.#signal.signal_id;
  }

  /** Only the marks of a signal can change, and its outcome. */
  update(signal, outcome, now) {
    if (signal !== this.#signal) {
      this.#signal = signal;
      this.#showMarks();
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
    if (this.#facts.length > 0) outcomeFacts(this.#signal, this.#outcome).forEach((fact, i) => this.#showFact(i, fact));
  }

  #showFact(i, { name, value }) {
    setText(this.#facts[i][0], name);
    setText(this.#facts[i][1], value);
  }

  #showMarks() {
    setAttribute(this.#new, 'hidden', this.#signal.viewed);
  }

  /** Shows the time that has passed, by the server's clock. */
  tick(now) {
    setText(this.#age, age(this.#signal.created_at, now));
    setText(this.#expiry, expiry(this.#signal.expires_at, now));
    const isExpired = isPast(this.#signal.expires_at, now);
    // What is settled stays so.
    if (this.article.classList.toggle('expired', isExpired) !== this.#wasExpired) this.#showOutcome(now);
    this.#wasExpired = isExpired;
  }

  open() {
    if (!this.#isOpen) this.#toggle();
    this.#button.scrollIntoView({ block: 'center' });
    this.#button.focus();
  }

  #toggle() {
    this.#isOpen = !this.#isOpen;
    if (this.#isOpen && !this.#details.hasChildNodes()) this.#details.append(...details(this.#signal), this.#buildFacts());
    setAttribute(this.#button, 'aria-expanded', String(this.#isOpen));
    setAttribute(this.#details, 'hidden', !this.#isOpen);
    if (this.#isOpen) this.#opened(this.id);
  }

  #buildFacts() {
    const facts = outcomeFacts(this.#signal, this.#outcome);
    this.#facts = facts.map(() => [element('dt'), element('dd')]);
    facts.forEach((fact, i) => this.#showFact(i, fact));
    const rows = facts.map(({ isWide }, i) => element('div', { class: isWide && 'wide' }, ...this.#facts[i]));
    return element('dl', { class: 'facts outcomes' }, ...rows);
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
    );
    this.#button.addEventListener('click', () => this.#toggle());
    this.#new = element('span', { class: 'new' }, 'new');
    this.#age = element('time', { datetime: signal.created_at, title: wholeTime(signal.created_at) });
    this.#expiry = element('time', { class: 'expiry', datetime: signal.expires_at, title: wholeTime(signal.expires_at) });
    this.#result = element('dd', { class: 'result' });
    this.#percent = element('dd', { class: 'percent' });
    this.#details = element('div', { id: detailsId, class: 'details', hidden: true });
    this.article = element(
      'article',
      { class: `card ${signal.signal_type === 'LONG' ? 'long' : 'short'}`, 'aria-labelledby': titleId },
      element('header', {},
        element('h2', { id: titleId }, this.#button),
        this.#new,
        element('p', { class: 'times' }, this.#age, this.#expiry)),
      element('dl', { class: 'outcome' }, element('dt', {}, 'Outcome'), ' ', this.#result, ' ', this.#percent),
      ...prices(signal),
      element('dl', { class: 'scores' },
        score('Strength of the move', signal.confidence, 'not a chance of profit'),
        score('Quality', signal.quality_score, 'how tradable it was')),
      element('p', { class: 'why' }, plain(signal.metadata?.why) ?? ''),
      this.#details,
    );
    this.element = element('li', { 'data-signal-id': signal.signal_id }, this.article);
    this.#showMarks();
  }
}

function prices(signal) {
  if (levelsOf(signal) === null) {
    return [element('p', { class: 'withheld' }, `Prices are withheld: signals of tier ${signal.tier} come without entry, targets and stop.`)];
  }
  const fact = (kind, name, ...values) =>
    element('div', { class: kind }, element('dt', {}, name), ...values.map((value) => element('dd', {}, value)));
  return [
    element('dl', { class: 'levels' },
      fact('entry', 'Entry', signal.entry_price),
      fact('stop', 'Stop', signal.stop_loss),
      fact('target', signal.take_profit.length > 1 ? 'Targets' : 'Target', ...signal.take_profit)),
    strip(signal),
  ];
}

function score(name, value, meaning) {
  return element('div', {},
    element('dt', {}, name, ' ', element('small', {}, meaning)),
    element('dd', {}, bar(value), element('span', {}, `${short(value)} of 100`)));
}

function bar(value) {
  return svgElement('svg', { class: 'bar', viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svgElement('rect', { class: 'whole', width: 100, height: 6 }),
    svgElement('rect', { class: 'part', width: Math.min(100, Math.max(0, Number(value))), height: 6 }));
}

function details(signal) {
  const facts = [['Signal', String(signal.signal_id)], ['Tier', signal.tier], ['Received', wholeTime(signal.created_at)], ['Expires', wholeTime(signal.expires_at)]];
  const reason = plain(signal.metadata?.reason);
  if (reason) facts.unshift(['Reason', reason]);
  const change = Number(plain(signal.metadata?.changePercent) ?? NaN);
  if (!Number.isNaN(change)) facts.unshift(['Change in 24 hours', percentText(change)]);
  const parts = [];
  if (levelsOf(signal) !== null) {
    const ratio = rewardToRisk(signal);
    if (ratio !== null) facts.unshift(['Last target : stop', `${ratio.toFixed(1)} : 1`]);
    parts.push(plot(signal));
  }
  const rows = facts.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value)));
  return [...parts, element('dl', { class: 'facts' }, ...rows)];
}

/** A text or number as text, else null: objects of JSON cannot always be converted, and an error here would leave the list empty. */
function plain(value) {
  return ['string', 'number'].includes(typeof value) ? String(value) : null;
}

/** With at most one digit after the point. */
function short(number) {
  return String(Math.round(Number(number) * 10) / 10);
}
