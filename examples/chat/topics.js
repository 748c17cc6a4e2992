// @ts-check

/*
 * chat/room/lobby   what is said in the room; the last of it is retained, so that who comes sees that the room is in use
 * chat/who/Ann      retained: the room that Ann is in; nothing is retained there when she is not here
 *
 * A name is one level of a topic, whatever is in it: / + # and $ are written as in web addresses.
 */

/** Longest name of a person or a room, in characters: what fits in the lists of the page. */
export const nameCharactersMax = 24;

export const everyRoom = 'chat/room/+';
export const everybody = 'chat/who/+';

/** @param {string} room */
export const roomTopic = (room) => `chat/room/${encodeURIComponent(room)}`;

/** @param {string} name */
export const personTopic = (name) => `chat/who/${encodeURIComponent(name)}`;

/** A name as people type it, in one spelling. @param {string} typed */
export const nameOf = (typed) => typed.trim().normalize('NFC').toWellFormed();

/**
 * Room or person of a topic; null when it is none of this chat.
 * @param {string} topic
 * @returns {{ room: string } | { person: string } | null}
 */
export function readTopic(topic) {
  const [, kind, level] = /^chat\/(room|who)\/([^/]+)$/.exec(topic) ?? [];
  if (level === undefined) return null;
  try {
    const name = decodeURIComponent(level);
    if (name.length > nameCharactersMax) return null;
    return kind === 'room' ? { room: name } : { person: name };
  } catch {
    return null; // Anybody may publish, also topics that spell nothing.
  }
}
