// The network between the browser and the service, which can fail in the ways that networks do.

import { createServer, connect } from 'node:net';
import { eventually } from './wait.mjs';

/** This long after the last byte, a page has processed it. */
const QUIET = 300;

export class Gateway {
  #server;
  #pairs = new Set();
  #target;
  /** How a connection is treated, old ones and new ones. */
  #mode = 'open';
  /** Requests whose line matches get no answer. */
  #held = null;
  /** When something last reached a browser. */
  #passed = 0;
  /** Lines of the requests that came through, with the time of each. */
  requests = [];

  static async start(target) {
    const gateway = new Gateway();
    gateway.#target = target;
    gateway.#server = createServer((socket) => gateway.#accept(socket));
    await new Promise((resolve) => gateway.#server.listen(0, '127.0.0.1', resolve));
    gateway.url = `http://127.0.0.1:${gateway.#server.address().port}`;
    return gateway;
  }

  /** Closes every connection, and each new one at once: the network is unplugged. */
  cut() {
    this.#mode = 'cut';
    this.#closeAll();
  }

  /**
   * Nothing passes in either direction, silently: like a NAT that forgot, or a laptop that slept.
   * Waits until all is quiet: something that a page receives late, by a clock that was advanced, is not silence.
   */
  async swallow() {
    await eventually('nothing passes', () => Date.now() - this.#passed > QUIET);
    this.#mode = 'swallowed';
    // The service closes unused connections after some seconds.
    this.#close([...this.#pairs].filter((pair) => !pair.isStream));
    for (const pair of this.#pairs) pair.swallowed = true;
  }

  /** New connections work again. Those that fell silent never will. */
  heal() {
    this.#mode = 'open';
  }

  /** Requests that match never get an answer, as behind a proxy that collects a reply until its end; null ends it. */
  hold(pattern) {
    this.#held = pattern;
    this.#closeAll();
  }

  /** Works again, for the next test. */
  reset() {
    this.#mode = 'open';
    this.hold(null);
    this.requests = [];
  }

  count(pattern, since = 0) {
    return this.requests.filter(({ line, at }) => at >= since && pattern.test(line)).length;
  }

  async stop() {
    this.#closeAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #closeAll() {
    this.#close([...this.#pairs]);
  }

  #close(pairs) {
    for (const pair of pairs) {
      pair.client.destroy();
      pair.upstream.destroy();
      this.#pairs.delete(pair);
    }
  }

  #accept(client) {
    if (this.#mode === 'cut') {
      client.destroy();
      return;
    }
    const pair = { client, upstream: connect(this.#target.port, '127.0.0.1'), swallowed: this.#mode === 'swallowed' };
    this.#pairs.add(pair);
    client.on('data', (bytes) => this.#note(bytes, pair) && pair.upstream.write(bytes));
    pair.upstream.on('data', (bytes) => {
      if (pair.swallowed) return;
      this.#passed = Date.now();
      client.write(bytes);
    });
    for (const [one, other] of [[client, pair.upstream], [pair.upstream, client]]) {
      one.on('error', () => {});
      one.on('close', () => {
        // The other side of a silent connection is not closed.
        if (pair.swallowed) return;
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  /** Returns whether to let it pass. A browser sends the head of a request in one piece. */
  #note(bytes, pair) {
    const line = /^(?:GET|POST) \S+/.exec(bytes.toString('latin1'))?.[0];
    if (line) {
      this.requests.push({ line, at: Date.now() });
      pair.isStream = line.includes('/api/stream');
    }
    if (line && this.#held?.test(line)) pair.swallowed = true;
    return !pair.swallowed;
  }
}
