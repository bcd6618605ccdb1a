// A signal on the way of its price, by a chart library that is loaded when the first chart is asked for.
// The way is that of the prices that runs saw, five minutes a candle; settlements go by the exchange's own.

import { element } from './dom.js';
import { decimal, time } from './format.js';
import { digitsOf, levelsOf } from './plot.js';

/** Colours of the page, by name: the library cannot read them from the style. */
const COLOURS = ['text', 'quiet', 'edge', 'stop', 'target', 'focus'];
const HEIGHT = 260;

const load = () => import('./lightweight-charts.mjs');

/** The candle that a time belongs to. */
export const begin = (at, seconds) => Math.floor(Date.parse(at) / 1_000 / seconds) * seconds;

/** A candle with one more price. */
export function grown(candle, time, price) {
  if (candle === null || candle.time < time) return { time, open: price, high: price, low: price, close: price };
  return { ...candle, high: Math.max(candle.high, price), low: Math.min(candle.low, price), close: price };
}

/**
 * What happened, in order: the signal, targets that were touched and the stop. A chart has marks at times
 * that it has candles of.
 * @param {number[]} times of the candles, ascending
 */
export function touches(signal, outcome, seconds, times) {
  const of = (at, name, kind) => ({ at, name, kind });
  const all = [
    of(signal.created_at, signal.signal_type, 'entry'),
    ...(outcome?.target_at ?? []).map((at, i) => of(at, `Target ${i + 1}`, 'target')),
    of(outcome?.stop_at, 'Stop', 'stop'),
  ];
  const nearest = (wanted) => times.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best));
  return all.filter(({ at }) => at).map(({ at, name, kind }) => ({ time: nearest(begin(at, seconds)), name, kind })).sort((a, b) => a.time - b.time);
}

/** In words, for those who do not see it. */
export function describe(signal, candles) {
  const [low, high] = [Math.min(...candles.map((one) => one.low)), Math.max(...candles.map((one) => one.high))];
  return `Price of ${signal.symbol} since the signal: lowest ${decimal(low)}, highest ${decimal(high)}, last ${decimal(candles.at(-1).close)}; `
    + `${levelsOf(signal).map(({ name, price }) => `${name} ${decimal(price)}`).join(', ')}.`;
}

/** The chart of a signal, once its way was read. */
export class Candles {
  #chart;
  #series;
  #last;
  #seconds;
  #box = element('div', { class: 'candles', role: 'img' });

  /** @returns {Promise<Candles | null>} null where there is nothing to show */
  static async of(signal, outcome, { seconds, path }) {
    const library = await load();
    if (path.length === 0) return null;
    return new Candles(library, signal, outcome, seconds, path.map(([at, open, high, low, close]) => ({ time: at, open, high, low, close })));
  }

  constructor({ createChart, createSeriesMarkers, CandlestickSeries, LineStyle, ColorType }, signal, outcome, seconds, candles) {
    this.#seconds = seconds;
    this.#last = candles.at(-1);
    this.#box.setAttribute('aria-label', describe(signal, candles));
    const colour = colours();
    const at = (seconds_) => time(seconds_ * 1_000, { hour: '2-digit', minute: '2-digit' });
    const digits = Math.max(...levelsOf(signal).map(({ price }) => digitsOf(price)));
    this.#chart = createChart(this.#box, {
      autoSize: true, height: HEIGHT,
      // The notice stands below the chart: the library's own would need a style that the page's policy forbids.
      layout: { background: { type: ColorType.Solid, color: 'transparent' }, textColor: colour.quiet, attributionLogo: false, fontFamily: 'system-ui, sans-serif' },
      grid: { vertLines: { color: colour.edge }, horzLines: { color: colour.edge } },
      rightPriceScale: { borderColor: colour.edge },
      timeScale: { borderColor: colour.edge, timeVisible: true, tickMarkFormatter: at },
      localization: { timeFormatter: (one) => time(one * 1_000, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }) },
      // A wheel over the chart scrolls the page.
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
    });
    this.#series = this.#chart.addSeries(CandlestickSeries, {
      upColor: colour.target, wickUpColor: colour.target, downColor: colour.stop, wickDownColor: colour.stop, borderVisible: false,
      priceFormat: { type: 'price', precision: digits, minMove: 10 ** -digits },
      // All levels are in view.
      autoscaleInfoProvider: (original) => scaled(original(), levelsOf(signal).map(({ price }) => Number(price))),
    });
    this.#series.setData(candles);
    for (const { kind, name, price } of levelsOf(signal)) {
      this.#series.createPriceLine({ price: Number(price), title: name, color: { stop: colour.stop, entry: colour.text, target: colour.target }[kind], lineWidth: 1,
        lineStyle: kind === 'entry' ? LineStyle.Solid : LineStyle.Dashed, axisLabelVisible: true });
    }
    const isShort = signal.signal_type === 'SHORT';
    createSeriesMarkers(this.#series, touches(signal, outcome, seconds, candles.map((one) => one.time)).map(({ time: when, name, kind }) => ({
      time: when, text: name, color: { entry: colour.focus, target: colour.target, stop: colour.stop }[kind],
      position: (kind === 'target') === isShort ? 'belowBar' : 'aboveBar', shape: kind === 'entry' ? (isShort ? 'arrowDown' : 'arrowUp') : 'circle',
    })));
    // All of it, from its first size on and at every other.
    const scale = this.#chart.timeScale();
    // With room for the names of marks at both ends.
    const room = Math.max(1, Math.ceil(candles.length * 0.08));
    scale.subscribeSizeChange(() => scale.setVisibleLogicalRange({ from: -room, to: candles.length - 1 + room }));
  }

  /** What is put into the page. */
  get elements() {
    const notice = element('a', { href: 'https://www.tradingview.com/', rel: 'noopener noreferrer', target: '_blank' }, 'TradingView');
    return [this.#box, element('p', { class: 'notice' }, 'Of the prices that runs saw, five minutes a candle. Lightweight Charts, copyright ', notice, ', Inc.')];
  }

  /** A price that came while the chart is shown. */
  add({ price, at }) {
    const when = begin(at, this.#seconds);
    if (when < this.#last.time) return;
    this.#last = grown(this.#last, when, Number(price));
    this.#series.update(this.#last);
  }

  remove() {
    this.#chart.remove();
    this.#box.remove();
  }
}

function scaled(original, levels) {
  if (original === null) return null;
  const { minValue, maxValue } = original.priceRange ?? { minValue: levels[0], maxValue: levels[0] };
  return { ...original, priceRange: { minValue: Math.min(minValue, ...levels), maxValue: Math.max(maxValue, ...levels) } };
}

/** As the browser paints them: light or dark. */
function colours() {
  const probe = document.body.appendChild(element('span', { hidden: true }));
  const of = Object.fromEntries(COLOURS.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  }));
  probe.remove();
  return of;
}
