// A push service on loopback, as browsers have one: it checks who sends (RFC 8292), and decrypts what is
// sent (RFC 8291) by an implementation that is not of this project.

import { createECDH, createPublicKey, randomBytes, verify } from 'node:crypto';
import { createServer } from 'node:http';
import ece from 'http_ece';

const decoded = (text) => JSON.parse(Buffer.from(text, 'base64url').toString());

/** Whether the header proves that the sender has the key that the browser subscribed for. */
function isFrom(authorization, key, origin) {
  const [, token, sender] = /^vapid t=(\S+), k=(\S+)$/.exec(authorization) ?? [];
  if (sender !== key) return false;
  const [head, claims, signature] = token.split('.');
  const point = Buffer.from(key, 'base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
  const isSigned = verify('sha256', Buffer.from(`${head}.${claims}`), { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
  const { aud, exp, sub } = decoded(claims);
  const left = exp - Date.now() / 1_000;
  return isSigned && decoded(head).alg === 'ES256' && aud === origin && left > 0 && left <= 86_400 && sub.startsWith('mailto:');
}

export class PushService {
  #server;
  #browsers = new Map();
  /** What came, decrypted: {path, text}. */
  messages = [];
  /** Why requests were refused. */
  refused = [];

  static async start() {
    const service = new PushService();
    service.#server = createServer((request, response) => service.#take(request, response));
    await new Promise((resolve) => service.#server.listen(0, '127.0.0.1', resolve));
    service.url = `http://127.0.0.1:${service.#server.address().port}`;
    return service;
  }

  /** A subscription as a browser gives it, for the public key of a sender. */
  subscribe(key) {
    const [keys, secret, path] = [createECDH('prime256v1'), randomBytes(16), `/${randomBytes(12).toString('hex')}`];
    keys.generateKeys();
    this.#browsers.set(path, { keys, secret, key });
    return { endpoint: this.url + path, key, keys: { p256dh: keys.getPublicKey('base64url'), auth: secret.toString('base64url') } };
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const browser = this.#browsers.get(request.url);
    const { authorization, ttl, 'content-encoding': encoding } = request.headers;
    try {
      if (!browser) throw new Error('no such browser');
      if (!isFrom(authorization, browser.key, this.url)) throw new Error(`not from the sender: ${authorization}`);
      if (encoding !== 'aes128gcm' || !/^\d+$/.test(ttl)) throw new Error(`headers: ${encoding}, ${ttl}`);
      const text = ece.decrypt(Buffer.concat(chunks), { version: 'aes128gcm', privateKey: browser.keys, authSecret: browser.secret.toString('base64url') }).toString();
      this.messages.push({ path: request.url, text });
      response.writeHead(201).end();
    } catch (error) {
      this.refused.push(String(error));
      response.writeHead(browser ? 400 : 410).end();
    }
  }
}
