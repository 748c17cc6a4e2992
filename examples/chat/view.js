// @ts-check

/** @typedef {import('./message.js').Message} Message */

/**
 * An element with text in it. Text is only ever set as text, never read as HTML, so what people write cannot become part of the page.
 * @param {string} tag @param {string} className @param {string | Node} [content]
 */
function make(tag, className, content = '') {
  const element = document.createElement(tag);
  element.className = className;
  element.append(content);
  return element;
}

/** A colour for a person, always the same, from the letters of the name. @param {string} name */
function hueOf(name) {
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  return hue;
}

/** The first letter in a circle of the person's colour. @param {string} name */
function makeBadge(name) {
  const badge = make('span', 'badge', [...name][0]?.toUpperCase() ?? '?');
  badge.style.setProperty('--hue', String(hueOf(name)));
  badge.ariaHidden = 'true';
  return badge;
}

const today = () => new Date().toDateString();

/** @param {number} milliseconds */
function makeTime(milliseconds) {
  const date = new Date(milliseconds);
  const time = document.createElement('time');
  time.dateTime = date.toISOString();
  const clock = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  time.textContent = date.toDateString() === today() ? clock : `${date.toLocaleDateString()} ${clock}`;
  return time;
}

/** Makes a message, as a line of the list. @param {Message} message @param {boolean} own */
export function makeMessage(message, own) {
  const item = make('li', own ? 'message own' : 'message');
  const head = make('p', 'head');
  head.append(make('b', '', message.from || 'somebody'), ' ', makeTime(message.sent));
  if (message.early) head.append(' ', make('span', 'early', 'before you came'));
  const body = make('div', 'body');
  body.append(head, make('p', 'text', message.text));
  item.append(makeBadge(message.from), body);
  item.dataset.id = message.id;
  return item;
}

/**
 * Makes a room to go to. @param {string} room @param {boolean} current @param {number} people @param {number} unread
 * @param {() => void} go
 */
export function makeRoom(room, current, people, unread, go) {
  const button = document.createElement('button');
  button.type = 'button';
  button.append(make('span', 'name', room));
  if (people > 0) button.append(make('span', 'count', String(people)));
  if (unread > 0) button.append(make('span', 'unread', String(unread)));
  if (current) button.setAttribute('aria-current', 'true');
  button.title = `${people} here, ${unread} unread`;
  button.addEventListener('click', go);
  const item = make('li', 'room', button);
  item.dataset.room = room;
  return item;
}

/**
 * Makes a person. @param {string} person @param {string} room where they are @param {boolean} here in the room that is
 * shown @param {boolean} self
 */
export function makePerson(person, room, here, self) {
  const item = make('li', here ? 'person' : 'person away');
  item.append(makeBadge(person), make('span', 'name', self ? `${person} (you)` : person));
  if (!here) item.append(make('span', 'where', `in ${room}`));
  return item;
}
