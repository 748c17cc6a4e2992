// @ts-check
import { ChatClient } from './chat-client.js';
import { History } from './history.js';
import { nameOf } from './topics.js';
import { makeMessage, makePerson, makeRoom } from './view.js';

/** @typedef {import('./message.js').Message} Message */

// Another broker by the page's own address: ?broker=wss://example.com/mqtt
const broker = new URLSearchParams(location.search).get('broker') ?? `ws://${location.hostname}:8083/mqtt`;

/** People shown: anybody can make one up. */
const peopleMax = 200;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (document.getElementById(id));

const scroller = /** @type {HTMLElement} */ (document.querySelector('main'));

function showEnd() {
  scroller.scrollTop = scroller.scrollHeight;
}

/** The goodbye to a broker that does not answer ends by itself. */
const goodbyeMilliseconds = 1000;

/**
 * Key under which this tab keeps the name of the person in it: loaded again, it enters by itself; and two tabs can be
 * two people.
 */
const tabKey = 'chat';

/** The chat of one person, from entering to leaving. */
class ChatPage {
  #name;
  #room;
  #history;
  #client;
  /** Rooms of all people, by person. @type {Map<string, string>} */
  #people = new Map();
  /** Messages that came to rooms that are not shown. @type {Map<string, number>} */
  #unread = new Map();
  /** Our own that have not come back from the broker. @type {Map<string, Message>} */
  #waiting = new Map();

  /** @param {string} name @param {string} room */
  constructor(name, room) {
    this.#name = name;
    this.#room = room;
    this.#history = new History(name);
    this.#client = new ChatClient(broker, name, room, {
      connection: (state, reason) => this.#showConnection(state, reason),
      ready: () => (document.body.dataset.subscribed = 'yes'),
      message: (message) => this.#receive(message),
      person: (person, place) => this.#place(person, place),
      failed: (message, fault) => this.#showTrouble(`“${message.text}” was not sent: ${fault}`),
    });
    element('entrance').hidden = true;
    element('chat').hidden = false;
    document.body.dataset.connection = 'connecting';
    this.go(room);
  }

  /** @param {'connected' | 'disconnected' | 'elsewhere' | 'refused'} state @param {string} [reason] */
  #showConnection(state, reason) {
    document.body.dataset.connection = state;
    if (state === 'connected')
      this.#people.clear(); // The broker tells it anew.
    else document.body.dataset.subscribed = 'no';
    const texts = {
      connected: 'Connected',
      disconnected: `No connection to ${broker}, trying again. What you write is sent then.`,
      elsewhere: `${this.#name} has entered from another window, and is there now.`,
      refused: `${broker} says: ${reason}`,
    };
    element('connection').textContent = texts[state];
    element('absent').hidden = state !== 'disconnected';
    element('leave').textContent = state === 'elsewhere' ? 'Enter again' : 'Leave';
    input('text').disabled = state === 'elsewhere' || state === 'refused';
    this.#showPeople();
  }

  /** @param {string} text */
  #showTrouble(text) {
    element('trouble').textContent = text;
    element('trouble').hidden = text === '';
  }

  /** @param {string} room */
  go(room) {
    this.#room = room;
    this.#unread.delete(room);
    sessionStorage.setItem(tabKey, JSON.stringify({ name: this.#name, room }));
    this.#client.move(room);
    element('room').textContent = room;
    element('messages').replaceChildren(
      ...this.#history.of(room).map((message) => makeMessage(message, message.from === this.#name)),
    );
    this.#showWaiting();
    this.#showPeople();
    showEnd();
    document.querySelector('.room [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }

  /** @param {string} text */
  say(text) {
    const message = this.#client.say(text);
    this.#waiting.set(message.id, message);
    this.#showTrouble('');
    this.#showWaiting();
    showEnd();
  }

  /** @param {() => void} gone */
  leave(gone) {
    this.#client.leave(gone);
  }

  /** Messages that would be lost if the page were closed now. */
  get waiting() {
    return this.#waiting.size;
  }

  /** Our own messages come back to us like everybody's, and take their place among the others then. @param {Message} message */
  #receive(message) {
    if (this.#waiting.delete(message.id)) this.#showWaiting();
    if (!this.#history.add(message)) return;
    if (message.room !== this.#room) {
      if (!message.early) this.#unread.set(message.room, (this.#unread.get(message.room) ?? 0) + 1);
      this.#showPeople();
      return;
    }
    // Who has scrolled up to read stays there.
    const { scrollHeight, scrollTop, clientHeight } = scroller;
    const atEnd = scrollHeight - scrollTop - clientHeight < 80;
    element('messages').append(makeMessage(message, message.from === this.#name));
    if (atEnd) showEnd();
  }

  /** @param {string} person @param {string | null} room */
  #place(person, room) {
    if (room === null) this.#people.delete(person);
    else if (this.#people.has(person) || this.#people.size < peopleMax) this.#people.set(person, room);
    this.#showPeople();
  }

  #showWaiting() {
    const here = [...this.#waiting.values()].filter(({ room }) => room === this.#room);
    element('waiting').replaceChildren(...here.map((message) => makeMessage(message, true)));
  }

  #showPeople() {
    const people = [...this.#people].sort(([one], [other]) => one.localeCompare(other));
    const isHere = (/** @type {[string, string]} */ [, room]) => room === this.#room;
    const inOrder = [...people.filter(isHere), ...people.filter((person) => !isHere(person))];
    element('people').replaceChildren(
      ...inOrder.map(([person, room]) => makePerson(person, room, room === this.#room, person === this.#name)),
    );
    const focused = /** @type {HTMLElement | null | undefined} */ (document.activeElement?.closest('.room'))?.dataset
      .room;
    const rooms = new Set(['lobby', this.#room, ...this.#history.rooms, ...this.#people.values()]);
    const items = [...rooms]
      .sort((one, other) => one.localeCompare(other))
      .map((room) => {
        const count = people.filter(([, where]) => where === room).length;
        return makeRoom(room, room === this.#room, count, this.#unread.get(room) ?? 0, () => this.go(room));
      });
    element('rooms').replaceChildren(...items);
    // The list is made anew; who goes through it with the keyboard stays where they were.
    items
      .find((item) => item.dataset.room === focused)
      ?.querySelector('button')
      ?.focus();
  }
}

/** @type {ChatPage | null} */
let page = null;

/** @param {string} name @param {string} room */
function enter(name, room) {
  page = new ChatPage(name, room);
  input('text').focus();
}

/** @param {string} id @param {() => void} submitted */
function onSubmit(id, submitted) {
  element(id).addEventListener('submit', (event) => {
    event.preventDefault();
    submitted();
  });
}

onSubmit('entrance', () => {
  const name = nameOf(input('name').value);
  const room = nameOf(input('first-room').value);
  if (name !== '' && room !== '') enter(name, room);
});

onSubmit('composer', () => {
  const text = input('text').value.trim().toWellFormed();
  if (text !== '') page?.say(text);
  input('text').value = '';
});

onSubmit('new-room', () => {
  const field = /** @type {HTMLInputElement} */ (document.querySelector('#new-room input'));
  const room = nameOf(field.value);
  field.value = '';
  if (room !== '') page?.go(room);
});

element('leave').addEventListener('click', () => {
  const { connection } = document.body.dataset;
  if (connection === 'elsewhere') {
    location.reload();
    return;
  }
  sessionStorage.removeItem(tabKey);
  page?.leave(() => location.reload());
  setTimeout(() => location.reload(), goodbyeMilliseconds);
});

addEventListener('beforeunload', (event) => {
  if (page !== null && page.waiting > 0) event.preventDefault();
});

const kept = sessionStorage.getItem(tabKey);
if (!/^wss?:$/.test(URL.parse(broker)?.protocol ?? '')) {
  element('outside-trouble').textContent =
    `${broker} is no address that a browser can connect to; one is like ws://127.0.0.1:8083/mqtt.`;
  element('outside-trouble').hidden = false;
} else if (kept !== null) {
  const { name, room } = JSON.parse(kept);
  enter(name, room);
}
