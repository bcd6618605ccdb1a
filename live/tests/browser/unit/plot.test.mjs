import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columns, gainText, levelsOf, percentText, rewardToRisk, spread } from '../../../page/plot.js';

const LONG = { entry_price: '26.73', stop_loss: '26.33', take_profit: ['27.13', '27.53', '28.07'] };
const SHORT = { entry_price: '502.42', stop_loss: '509.96', take_profit: ['494.88', '487.35'] };
const WITHHELD = { entry_price: null, stop_loss: null, take_profit: null };

test('levels go from the highest price to the lowest, as the prices were sent', () => {
  assert.deepEqual(levelsOf(LONG).map(({ name, price }) => `${name} ${price}`),
    ['Target 3 28.07', 'Target 2 27.53', 'Target 1 27.13', 'Entry 26.73', 'Stop 26.33']);
  assert.deepEqual(levelsOf(SHORT).map(({ name }) => name), ['Stop', 'Entry', 'Target 1', 'Target 2']);
  assert.equal(levelsOf(WITHHELD), null);
  assert.equal(levelsOf({ ...LONG, take_profit: ['27.13'] })[0].name, 'Target');
});

test('distances are in percent of the entry, with a sign', () => {
  assert.deepEqual(levelsOf(LONG).map(({ percent }) => percentText(percent)), ['+5.01 %', '+2.99 %', '+1.50 %', '+0.00 %', '-1.50 %']);
  assert.deepEqual(levelsOf(SHORT).map(({ percent }) => percentText(percent)), ['+1.50 %', '+0.00 %', '-1.50 %', '-3.00 %']);
  assert.equal(rewardToRisk(LONG).toFixed(2), '3.35');
  assert.equal(rewardToRisk({ ...LONG, stop_loss: '26.73' }), null);
});

test('on either side a target wins and a stop loses', () => {
  const gains = (signal) => levelsOf(signal).map((level) => gainText(level, signal));
  assert.deepEqual(gains({ ...LONG, signal_type: 'LONG' }), ['+5.01 %', '+2.99 %', '+1.50 %', '', '-1.50 %']);
  assert.deepEqual(gains({ ...SHORT, signal_type: 'SHORT' }), ['-1.50 %', '', '+1.50 %', '+3.00 %']);
});

test('usual prices leave the plot as it is, long ones get more room', () => {
  const at = (price) => columns([{ name: 'Target 1', price }], ['+1.50 %']);
  assert.equal(at('26.73').width, 360);
  assert.equal(at('67998.42').width, 360);
  assert.ok(at('1234567890123.5').line < at('67998.42').line);
  for (const price of ['26.73', '1234567890123.5', '0.000000000000012345678']) {
    const { line, name, price: end, width } = at(price);
    assert.ok(line >= 48 && name + 'Target 1'.length * 8 < end - price.length * 8 && end + '+1.50 %'.length * 8 < width, price);
  }
});

test('labels keep their distance and stay inside', () => {
  assert.deepEqual(spread([10, 100, 190], 20, 10, 190), [10, 100, 190]);
  for (const wanted of [[10, 11, 12, 13, 190], [10, 186, 187, 188, 190], [100, 100, 100, 100, 100], [10, 90, 95, 100, 190]]) {
    const places = spread(wanted, 20, 10, 190);
    assert.ok(places.every((y, i) => i === 0 || y - places[i - 1] >= 20 - 1e-9), String(places));
    assert.ok(places[0] >= 10 && places.at(-1) <= 190, String(places));
  }
});
