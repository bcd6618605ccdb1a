import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placeOnStrip } from '../../../page/plot.js';
import { nowFacts, nowText, priceNow, standsAt } from '../../../page/price.js';

const NOW = Date.parse('2026-11-22T01:00:00Z');
const LONG = { signal_type: 'LONG', entry_price: '100', stop_loss: '98', take_profit: ['102', '104'], expires_at: '2026-11-22T04:00:00Z' };
const SHORT = { ...LONG, signal_type: 'SHORT', stop_loss: '102', take_profit: ['98', '96'] };
const WITHHELD = { ...LONG, entry_price: null, stop_loss: null, take_profit: null };
const latest = (price, seconds = 4) => ({ price, at: new Date(NOW - seconds * 1_000).toISOString() });

test('a price is for signals that are open, and only while it is of now', () => {
  assert.equal(priceNow(LONG, undefined, latest('101'), NOW).price, '101');
  assert.equal(priceNow(LONG, { state: 'open' }, latest('101', 300), NOW).price, '101');
  assert.equal(priceNow(LONG, undefined, undefined, NOW), null);
  assert.equal(priceNow(LONG, undefined, latest('101', 301), NOW), null);
  assert.equal(priceNow(LONG, { state: 'settled' }, latest('101'), NOW), null);
  assert.equal(priceNow({ ...LONG, expires_at: '2026-11-22T01:00:00Z' }, undefined, latest('101'), NOW), null);
});

test('gains and distances are those of whoever follows the signal, on either side', () => {
  assert.deepEqual(standsAt(LONG, latest('101')).gain.toFixed(2), '1.00');
  assert.deepEqual(standsAt(SHORT, latest('101')).gain.toFixed(2), '-1.00');
  assert.deepEqual(nowFacts(LONG, latest('103'), NOW).map(([, value]) => value), ['103 (4 s ago)', '+3.00 %', '4.85 %', 'reached, 0.97 %']);
  assert.deepEqual(nowFacts(SHORT, latest('103'), NOW).map(([, value]) => value), ['103 (4 s ago)', '-3.00 %', 'reached', '4.85 %, 6.80 %']);
  assert.deepEqual(nowText(SHORT, latest('101.50')), { text: '101.50, -1.50 % now;', sign: '-' });
});

test('zeros that an exchange fills a price up with are not shown, as far as levels have none', () => {
  const fine = { ...LONG, entry_price: '0.12333', stop_loss: '0.12148', take_profit: ['0.125'] };
  const text = (signal, price) => nowText(signal, latest(price)).text.split(/[, ]/)[0];
  assert.deepEqual([text(LONG, '542.59000000'), text(LONG, '68.00000000'), text(LONG, '0.00001234'), text(LONG, '101')], ['542.59', '68.00', '0.00001234', '101']);
  assert.equal(text(fine, '0.12400000'), '0.12400');
  assert.equal(text(WITHHELD, '166.81000000'), '166.81');
  assert.equal(nowFacts(LONG, latest('542.59000000'), NOW)[0][1], '542.59 (4 s ago)');
});

test('where levels are withheld nothing is said that would tell them', () => {
  assert.deepEqual(nowText(WITHHELD, latest('101')), { text: '101 now;', sign: null });
  assert.deepEqual(nowFacts(WITHHELD, latest('101'), NOW), [['Price now', '101 (4 s ago)']]);
  assert.equal(standsAt(WITHHELD, latest('101')), null);
});

test('the lines are the same without a price, so that nothing moves when it comes', () => {
  assert.deepEqual(nowFacts(LONG, null, NOW).map(([name]) => name), nowFacts(LONG, latest('101'), NOW).map(([name]) => name));
  assert.deepEqual(nowText(LONG, null), { text: '', sign: null });
});

test('on the strip a price stands between the levels, and at the end beyond them', () => {
  assert.equal(placeOnStrip(LONG, '98'), 2);
  assert.equal(placeOnStrip(LONG, '104'), 98);
  assert.equal(placeOnStrip(LONG, '101'), 50);
  assert.equal(placeOnStrip(SHORT, '90'), 1);
  assert.equal(placeOnStrip(SHORT, '500'), 99);
});

test('what is nothing when it is rounded is no loss', () => {
  assert.deepEqual(nowText(LONG, latest('99.999')), { text: '99.999, +0.00 % now;', sign: '+' });
});
