// What is known of one signal: beside the list where there is room, else below its row.

import { Refused } from './api.js';
import { Candles } from './candles.js';
import { element, setAttribute, setText, svgElement } from './dom.js';
import { decimal } from './format.js';
import { outcomeFacts, resultOf } from './outcome.js';
import { levelsOf, percentText, plot, rewardToRisk } from './plot.js';
import { nowFacts } from './price.js';
import { openSince, wholeTime } from './time.js';

/** How long a button says that something was copied. */
const COPIED = 1_500;

export class Details {
  #signal;
  #became = element('p', { class: 'became' }, element('span'), element('span', { class: 'percent' }));
  /** Names and values of the outcome. */
  #facts;
  /** Values of what follows from the price of now; none of a signal that was over. */
  #now;
  #outcome;
  #on;
  #button = element('button', { type: 'button', 'aria-expanded': 'false' }, 'Chart');
  #chartBox = element('div', { class: 'chart-box', 'aria-live': 'polite', hidden: true });
  /** While it is shown. */
  #chart = null;
  /** Counts what was asked for, so that a chart which was closed meanwhile is not shown. */
  #charts = 0;

  /**
   * @param {boolean} isOver whether the signal is settled
   * @param {object} on
   * @param {() => void} on.close the subscriber closes them
   * @param {(id: number) => Promise<object>} on.path reads the way of the price
   */
  constructor(signal, isOver, on) {
    this.#signal = signal;
    this.#on = on;
    const closing = element('button', { type: 'button', class: 'close' }, 'Close');
    closing.addEventListener('click', on.close);
    this.#button.addEventListener('click', () => (this.#chartBox.hidden ? this.#openChart() : this.closeChart()));
    const facts = outcomeFacts(signal, undefined);
    this.#facts = facts.map(() => [element('dt'), element('dd')]);
    const rows = facts.map(({ isWide }, i) => element('div', { class: isWide && 'wide' }, ...this.#facts[i]));
    const lines = isOver ? [] : nowFacts(signal, null, 0);
    this.#now = lines.map(() => element('dd'));
    const why = plain(signal.metadata?.why);
    const since = openSince(signal);
    this.elements = [
      element('header', {}, element('h3', {}, `${signal.signal_type} ${signal.symbol}`), closing),
      this.#became,
      element('p', { class: 'why' }, why ?? ''),
      since === null ? null : element('p', { class: 'why' }, `It came late: it had been open since ${wholeTime(since)}, and the price may be far from its entry.`),
      ...(levelsOf(signal) === null ? [copies(signal)] : [plot(signal), copies(signal, this.#button), this.#chartBox]),
      isOver ? null : element('dl', { class: 'facts now' }, ...lines.map(([name], i) => element('div', {}, element('dt', {}, name), this.#now[i]))),
      element('dl', { class: 'scores' },
        score('Strength of the move', signal.confidence, 'not a chance of profit'),
        score('Quality', signal.quality_score, 'how tradable it was')),
      element('dl', { class: 'facts' }, ...factsOf(signal).map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value)))),
      element('h4', {}, 'Settlement, with returns after fees'),
      element('dl', { class: 'facts outcomes' }, ...rows),
    ].filter((part) => part !== null);
  }

  async #openChart() {
    this.#charts += 1;
    const asked = this.#charts;
    setAttribute(this.#chartBox, 'hidden', false);
    setAttribute(this.#button, 'aria-expanded', 'true');
    this.#chartBox.replaceChildren('Reading the prices.');
    try {
      const chart = await Candles.of(this.#signal, this.#outcome, await this.#on.path(this.#signal.signal_id));
      if (asked !== this.#charts) {
        chart?.remove();
        return;
      }
      this.#chartBox.replaceChildren(...(chart === null ? ['No price was kept for this signal.'] : chart.elements));
      this.#chart = chart;
    } catch (error) {
      if (asked !== this.#charts) return;
      this.#chartBox.replaceChildren(`The prices cannot be read at present: ${error instanceof Refused ? error.message : 'the service cannot be reached'}.`);
    }
  }

  closeChart() {
    this.#charts += 1;
    this.#chart?.remove();
    this.#chart = null;
    this.#chartBox.replaceChildren();
    setAttribute(this.#chartBox, 'hidden', true);
    setAttribute(this.#button, 'aria-expanded', 'false');
  }

  /** @param {{price: string, at: string} | null} latest the price that is shown, see price.js */
  showPrice(latest, now) {
    if (latest !== null) this.#chart?.add(latest);
    if (this.#now.length > 0) nowFacts(this.#signal, latest, now).forEach(([, value], i) => setText(this.#now[i], value));
  }

  showOutcome(outcome, now) {
    this.#outcome = outcome;
    const { kind, text, percent } = resultOf(this.#signal, outcome, now);
    setAttribute(this.#became, 'data-kind', kind);
    setText(this.#became.firstChild, `Outcome: ${text}${percent && ', '}`);
    setText(this.#became.lastChild, percent && `${percent} after fees`);
    outcomeFacts(this.#signal, outcome).forEach(({ name, value }, i) => {
      setText(this.#facts[i][0], name);
      setText(this.#facts[i][1], value);
    });
  }
}

/** Buttons that copy the signal for use elsewhere, exactly as it came, whatever form numbers have here; beside others. */
function copies(signal, ...others) {
  const link = () => `${location.origin}${location.pathname}#signal=${signal.signal_id}`;
  const levels = () => levelsOf(signal).map(({ name, price }) => `${name} ${price}`).join('\n');
  return element('p', { class: 'copies' },
    ...others,
    ...(levelsOf(signal) === null ? [] : [copy('Copy levels', () => `${signal.signal_type} ${signal.symbol}\n${levels()}`)]),
    copy('Copy link', link));
}

function copy(name, text) {
  const button = element('button', { type: 'button' }, name);
  button.addEventListener('click', async () => {
    const words = await navigator.clipboard.writeText(text()).then(() => 'Copied', () => 'Not allowed');
    setText(button, words);
    setTimeout(() => setText(button, name), COPIED);
  });
  return button;
}

function score(name, value, meaning) {
  return element('div', {},
    element('dt', {}, name, ' ', element('small', {}, meaning)),
    element('dd', {}, bar(value), element('span', {}, `${decimal(Math.round(Number(value) * 10) / 10)} of 100`)));
}

function bar(value) {
  return svgElement('svg', { class: 'bar', viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svgElement('rect', { class: 'whole', width: 100, height: 6 }),
    svgElement('rect', { class: 'part', width: Math.min(100, Math.max(0, Number(value))), height: 6 }));
}

function factsOf(signal) {
  const facts = [];
  const ratio = levelsOf(signal) === null ? null : rewardToRisk(signal);
  if (ratio !== null) facts.push(['Reward : risk, last target', `${decimal(ratio.toFixed(1))} : 1`]);
  const change = Number(plain(signal.metadata?.changePercent) ?? NaN);
  if (!Number.isNaN(change)) facts.push(['Change in 24 hours', percentText(change)]);
  const reason = plain(signal.metadata?.reason);
  if (reason) facts.push(['Reason', reason]);
  return [...facts, ['Signal', String(signal.signal_id)], ['Tier', signal.tier], ['Received', wholeTime(signal.created_at)], ['Expires', wholeTime(signal.expires_at)]];
}

/** A text or number as text, else null: objects of JSON cannot always be converted, and an error here would leave the list empty. */
function plain(value) {
  return ['string', 'number'].includes(typeof value) ? String(value) : null;
}
