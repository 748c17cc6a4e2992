// @ts-check

/** Longest text of a message, in characters, also of what others send. */
export const textCharactersMax = 2000;

/** Seconds for which the broker keeps messages it has not delivered yet, and the last message of a room: a day. */
const expirySeconds = 24 * 60 * 60;

/**
 * @typedef {object} Message
 * @property {string} room
 * @property {string} from  empty when the sender did not say
 * @property {string} text
 * @property {string} id    tells a message from one that came twice; empty when the sender gave none
 * @property {number} sent  by the sender's clock, milliseconds since 1970
 * @property {boolean} [early]  it was retained: said before we came
 */

/** @param {string} room @param {string} from @param {string} text @returns {Message} */
export function newMessage(room, from, text) {
  return { room, from, text, id: crypto.randomUUID(), sent: Date.now() };
}

/**
 * Options of PUBLISH for a message. The payload is the text alone, so that any MQTT client can read and write it; who,
 * when and which are user properties.
 * @param {Message} message
 * @returns {import('mqtt').IClientPublishOptions}
 */
export function publishOptions({ from, id, sent }) {
  return {
    qos: 1,
    retain: true,
    properties: {
      contentType: 'text/plain; charset=utf-8',
      payloadFormatIndicator: true,
      messageExpiryInterval: expirySeconds,
      userProperties: { from, id, sent: new Date(sent).toISOString() },
    },
  };
}

/**
 * A message as it came, from this page or from any other program: nothing in it is believed to be there, or to be short.
 * @param {string} room
 * @param {Uint8Array} payload
 * @param {import('mqtt').IPublishPacket} packet
 * @returns {Message}
 */
export function readMessage(room, payload, packet) {
  /** A user property may be missing, and may be there twice. @param {string} name @param {number} charactersMax */
  const property = (name, charactersMax) => {
    const values = packet.properties?.userProperties?.[name] ?? '';
    return (Array.isArray(values) ? values[0] : values).slice(0, charactersMax);
  };
  const sent = Date.parse(property('sent', 40));
  return {
    room,
    from: property('from', 24),
    text: new TextDecoder().decode(payload).slice(0, textCharactersMax),
    id: property('id', 64),
    sent: Number.isNaN(sent) ? Date.now() : sent,
    ...(packet.retain ? { early: true } : {}),
  };
}
