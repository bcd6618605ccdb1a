import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { decimal, number, setFormat, time } from '../../../page/format.js';
import { gain } from '../../../page/numbers.js';
import { percentText } from '../../../page/plot.js';
import { settingsOf } from '../../../page/settings.js';
import { wholeTime } from '../../../page/time.js';

afterEach(() => setFormat({ locale: 'en-US', timeZone: 'UTC' }));

test('prices keep their digits in every language', () => {
  const prices = ['592.02', '0.00000000123457', '1234567890123.50'];
  const inForm = (locale) => {
    setFormat({ locale, timeZone: '' });
    return prices.map(decimal);
  };
  assert.deepEqual(inForm('en-US'), prices);
  assert.deepEqual(inForm('de-DE'), ['592,02', '0,00000000123457', '1234567890123,50']);
  assert.deepEqual(inForm('ar-EG')[0], '\u0665\u0669\u0662\u066b\u0660\u0662');
});

test('percentages, numbers and times follow language and time zone', () => {
  setFormat({ locale: 'de-DE', timeZone: 'Asia/Tokyo' });
  assert.equal(percentText(-1.5), '-1,50 %');
  assert.equal(gain(1.25), '+1,25 %');
  assert.equal(number(1_238, {}), '1.238');
  assert.match(wholeTime('2026-11-22T20:11:05Z'), /23\. Nov.*0?5:11:05/);
  assert.equal(time(Date.parse('2026-11-22T20:11:05Z'), { timeZone: 'UTC', day: 'numeric' }), '22');
});

test('a language or time zone that the browser does not know counts as none', () => {
  setFormat({ locale: 'no such', timeZone: 'Mars/Olympus' });
  assert.doesNotThrow(() => [decimal('1.5'), wholeTime('2026-11-22T20:11:05Z')]);
});

test('kept settings that are broken, foreign or of another version leave the usual ones', () => {
  const usual = settingsOf(null);
  assert.equal(usual.theme, 'system');
  for (const text of ['', '{', 'null', '7', '{"theme":"pink","sound":"yes","locale":1}', '{"__proto__":{"theme":"dark"}}']) assert.deepEqual(settingsOf(text), usual, text);
  assert.deepEqual(settingsOf('{"theme":"dark","sound":true,"other":1}'), { ...usual, theme: 'dark', sound: true });
});
