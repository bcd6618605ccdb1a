// Parses Server-Sent Events. Written by hand because the browser's EventSource cannot send a token in a
// header, and a token in the address would end up in logs.

/**
 * One event. `id` is undefined if the event has none; an event may have an id and
 * no data.
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
    // The rest may end with a CR whose LF is in the next piece.
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
    // A comment, which some proxies send as heartbeats.
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }
}
