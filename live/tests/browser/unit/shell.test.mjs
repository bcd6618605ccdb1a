import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const page = new URL('../../../page/', import.meta.url);
const text = (name) => readFileSync(new URL(name, page), 'utf8');
const files = readdirSync(page).sort();
const modules = files.filter((name) => name.endsWith('.js') && name !== 'sw.js');

test('the service worker keeps every file of the page', () => {
  const list = /const SHELL = \[(.*?)\]/s.exec(text('sw.js'))[1];
  const kept = [...list.matchAll(/'([^']+)'/g)].map((match) => match[1].replace('./', 'index.html'));
  assert.deepEqual(kept.sort(), files.filter((name) => name !== 'sw.js'));
});

test('every module is asked for at once, not when the one before it was read', () => {
  const html = text('index.html');
  const asked = [...html.matchAll(/(?:modulepreload" href|module" src)="([^"]+)"/g)].map((match) => match[1]);
  assert.deepEqual(asked.sort(), modules);
});

test('the page takes nothing from elsewhere, and has no inline script or style', () => {
  const html = text('index.html');
  assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)/);
  for (const name of files) {
    const urls = text(name).match(/https?:\/\/[^'"\s)]+/g) ?? [];
    assert.deepEqual(urls.filter((url) => url !== 'http://www.w3.org/2000/svg'), [], name);
  }
});
