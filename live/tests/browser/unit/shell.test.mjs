import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const page = new URL('../../../page/', import.meta.url);
const text = (name) => readFileSync(new URL(name, page), 'utf8');
// Those in vendor/ are of others, and loaded on demand.
const files = readdirSync(page).filter((name) => name !== 'vendor').sort();
const modules = files.filter((name) => name.endsWith('.js') && name !== 'sw.js');

/** The files that a page names, as sw.js finds them. */
const namedBy = (name) => [...text(name).matchAll(/ (?:href|src)="([^#"]+)"/g)].map((match) => match[1]);
const named = namedBy('index.html');
/** Of a page of its own, which the service worker does not keep. */
const operators = ['operator.html', ...namedBy('operator.html').filter((name) => name.startsWith('operator'))];

test('the page names every file that is served, so that the service worker keeps them all', () => {
  assert.ok(text('sw.js').includes('/ (?:href|src)="([^#"]+)"/g'));
  // The build joins the modules into those that start a page, and fails if it misses any.
  const served = files.filter((name) => ['start.js', 'app.js', 'operator.js'].includes(name) || !modules.includes(name));
  assert.deepEqual([...named, 'index.html', 'sw.js', ...operators].sort(), served);
});

test('the page takes nothing from elsewhere, and has no inline script or style', () => {
  for (const html of [text('index.html'), text('operator.html')]) assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)/);
  for (const name of files) {
    const urls = text(name).match(/https?:\/\/[^'"\s)]+/g) ?? [];
    // A name, and a link that a licence demands.
    const allowed = name === 'candles.js' ? ['https://www.tradingview.com/'] : ['http://www.w3.org/2000/svg'];
    assert.deepEqual(urls.filter((url) => !allowed.includes(url)), [], name);
  }
});

test('nothing that is received is ever read as markup or as a script', () => {
  for (const name of files) {
    assert.doesNotMatch(text(name), /innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|DOMParser|createContextualFragment|\beval\b|new Function/, name);
  }
});

test('the first load is under 150 kB when it is compressed', () => {
  // The build joins the modules, which makes them smaller; what is loaded on demand is not named.
  const first = ['index.html', ...modules, ...named.filter((name) => !modules.includes(name))];
  const bytes = first.map((name) => gzipSync(text(name)).length).reduce((sum, length) => sum + length, 0);
  assert.ok(bytes < 150_000, `${bytes} bytes`);
});
