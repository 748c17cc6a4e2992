// @ts-check

/** @typedef {import('./message.js').Message} Message */

/** Messages kept of each room: some screens full. Older ones are forgotten. */
const messagesMax = 100;

/** Rooms kept: anybody can make one up. */
const roomsMax = 50;

/**
 * Messages that one person has seen, kept by the browser, so that it is still there when the page is loaded again: the
 * broker delivers a message to a session once, and does not keep what the page has acknowledged.
 */
export class History {
  #prefix;
  /** @type {Map<string, Message[]>} */
  #rooms = new Map();

  /** @param {string} name */
  constructor(name) {
    this.#prefix = `chat/${encodeURIComponent(name)}/`;
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(this.#prefix)) this.#load(key);
    }
  }

  /** @param {string} key */
  #load(key) {
    try {
      this.#rooms.set(
        decodeURIComponent(key.slice(this.#prefix.length)),
        JSON.parse(localStorage.getItem(key) ?? '[]'),
      );
    } catch {
      localStorage.removeItem(key); // not written by this page
    }
  }

  /** @returns {string[]} */
  get rooms() {
    return [...this.#rooms.keys()];
  }

  /** @param {string} room @returns {readonly Message[]} */
  of(room) {
    return this.#rooms.get(room) ?? [];
  }

  /**
   * Keeps a message. False when it is known: QoS 1 delivers at least once, and what is retained comes at each connect.
   * @param {Message} message
   */
  add(message) {
    const messages = this.#rooms.get(message.room) ?? [];
    if (messages.some((known) => isSame(known, message))) return false;
    if (!this.#rooms.has(message.room) && this.#rooms.size === roomsMax) return false;
    this.#rooms.set(message.room, messages);
    messages.push(message);
    if (messages.length > messagesMax) messages.shift();
    try {
      localStorage.setItem(this.#prefix + encodeURIComponent(message.room), JSON.stringify(messages));
    } catch (error) {
      console.warn('the browser keeps no more; what is shown is gone after a reload', error);
    }
    return true;
  }
}

/**
 * Messages without identifier (from other programs) are known again by its text, if it is retained. @param {Message}
 * known @param {Message} message
 */
function isSame(known, message) {
  if (message.id !== '') return known.id === message.id;
  return message.early === true && known.id === '' && known.text === message.text;
}
