// What became of a signal, in words. While it is open, what is known comes from the last prices that
// were asked for, so it is called provisional; what is settled comes from candles.

import { isFinal } from './final.js';
import { decimal } from './format.js';
import { percentText } from './plot.js';
import { duration, isPast } from './time.js';

/**
 * The outcome in a line. `kind` is open, provisional, target, stop, expired or void; `percent` is the
 * return after fees of who leaves at target 1, empty where there is none or the text says it.
 * @param {object | undefined} outcome undefined where none is known
 * @returns {{kind: string, text: string, percent: string}}
 */
export function resultOf(signal, outcome, now) {
  if (!isFinal(outcome)) return { ...soFar(signal, outcome, now), percent: '' };
  if (outcome.state === 'void') return { kind: 'void', text: `void: ${outcome.void_why ?? 'cannot be settled'}`, percent: '' };
  const percent = percentOf(outcome.returns_percent?.[0]);
  if (outcome.best_target > 0) {
    const end = { stop: ', then stopped', expired: ', then expired' }[outcome.ended] ?? '';
    return { kind: 'target', text: `target ${outcome.best_target} hit${after(outcome.target_at?.at(-1), outcome)}${end}`, percent };
  }
  if (outcome.ended === 'stop') return { kind: 'stop', text: `stopped${after(outcome.stop_at, outcome)}`, percent };
  return { kind: 'expired', text: percent === '' ? 'expired' : `expired at ${percent}`, percent: '' };
}

/** For a screen reader, once it is settled. */
export function outcomeSentence(signal, outcome, now) {
  const { text, percent } = resultOf(signal, outcome, now);
  return `${signal.signal_type} ${signal.symbol}: ${text}${percent && `, ${percent} after fees`}.`;
}

/**
 * Names and values for the details. They are the same lines before and after the settlement, so that
 * nothing moves when it comes; `wide` ones take a whole line.
 * @returns {{name: string, value: string, isWide: boolean}[]}
 */
export function outcomeFacts(signal, outcome) {
  const settled = outcome?.state === 'settled' ? outcome : {};
  const fact = (name, value) => ({ name, value: value || '-', isWide: false });
  const targets = settled.returns_percent ?? [];
  const count = targets.length || signal.take_profit?.length || 3;
  const names = Array.from({ length: count }, (_, i) => i + 1).join(', ');
  return [
    { ...fact(count > 1 ? `Left at target ${names}` : 'Left at the target', targets.map(percentOf).join(', ')), isWide: true },
    fact('In equal parts', percentOf(settled.ladder_percent)),
    fact('Kept to the expiry', percentOf(settled.hold_percent)),
    fact('Opposite signal', percentOf(settled.mirror_percent)),
    fact('Furthest in favour', percentOf(settled.mfe_percent)),
    fact('Furthest against', percentOf(settled.mae_percent && -settled.mae_percent)),
    fact('Settled by', settled.resolution && (settled.resolution === 'sampled' ? 'prices asked for' : `candles of ${settled.resolution}`)),
    { ...fact('Notes', notes(outcome ?? {})), isWide: true },
  ];
}

function soFar(signal, outcome, now) {
  const isOver = isPast(signal.expires_at, now);
  const seen = [];
  if (outcome?.best_target > 0) seen.push(`target ${outcome.best_target} seen${after(outcome.target_at?.at(-1), outcome)}`);
  if (outcome?.ended === 'stop') seen.push(`stop seen${after(outcome.stop_at, outcome)}`);
  if (seen.length > 0) return { kind: 'provisional', text: `${isOver ? 'to be settled' : 'open'}; provisional: ${seen.join(', ')}` };
  if (!isOver) return { kind: 'open', text: 'open' };
  return { kind: 'open', text: outcome === undefined ? 'not known' : 'to be settled' };
}

/** " after 2 h 10 min", from the entry to a time. */
function after(then, { signal_at }) {
  const ms = Date.parse(then) - Date.parse(signal_at);
  return Number.isNaN(ms) ? '' : ` after ${duration(ms)}`;
}

function percentOf(text) {
  const percent = Number(text ?? NaN);
  return Number.isNaN(percent) ? '' : percentText(percent);
}

function notes({ state, ambiguous, gap, superseded_at, fee_percent, signal_at }) {
  const words = [];
  if (state === 'settled' && fee_percent) words.push(`after fees of ${decimal(Number(fee_percent))} % at entry and exit`);
  if (ambiguous) words.push('one candle held both stop and target, so it counts as stopped');
  if (gap) words.push('candles were missing');
  if (superseded_at) words.push(`an opposite signal came${after(superseded_at, { signal_at })}`);
  return words.join('; ');
}
