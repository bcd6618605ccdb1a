// Server-Sent Events as text, to events. EventSource would do it, but it cannot send a header.

/**
 * One event. `id` is undefined where the block has none; an event without data
 * says no more than its id.
 * @typedef {{event: string, data: string, id: string | undefined}} ServerEvent
 */

export class EventParser {
  #rest = '';
  #event = '';
  #data = [];
  #id;

  /**
   * The events that end in this piece of the stream.
   * @param {string} text
   * @returns {ServerEvent[]}
   */
  feed(text) {
    const events = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    // Also a lone CR at the end: its LF may be in the next piece.
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === '') this.#dispatch(events);
      else this.#field(line);
    }
    return events;
  }

  #dispatch(events) {
    if (this.#data.length > 0 || this.#id !== undefined) {
      events.push({ event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id });
    }
    this.#event = '';
    this.#data = [];
    this.#id = undefined;
  }

  #field(line) {
    const colon = line.indexOf(':');
    // A comment, as heartbeats of proxies are.
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }
}
