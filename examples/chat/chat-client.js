// @ts-check
import mqtt from 'mqtt';
import { newMessage, publishOptions, readMessage } from './message.js';
import { everybody, everyRoom, personTopic, readTopic, roomTopic } from './topics.js';

/** @typedef {import('./message.js').Message} Message */

/** Time for which the broker keeps our session, and the messages for us, when we are away: a day. */
const sessionExpirySeconds = 24 * 60 * 60;

/**
 * Delay of the will: a person who is back by then was never away for the others: a page that is loaded again, a
 * telephone that changes its network.
 */
const willDelaySeconds = 2;

/** A broker that has not answered after so long is tried again after the pause. */
const answerMilliseconds = 5000;
const pauseMilliseconds = 1000;

/** A connection that is silently gone is noticed after at most one and a half times this. */
const keepAliveSeconds = 20;

/** Reason code of MQTT 5: somebody else has connected with our client identifier. */
const sessionTakenOver = 0x8e;

/**
 * Events for the page.
 * @typedef {object} Events
 * @property {(state: 'connected' | 'disconnected' | 'elsewhere' | 'refused', reason?: string) => void} connection
 * @property {() => void} ready      subscribed: from now on nothing is missed
 * @property {(message: Message) => void} message
 * @property {(person: string, room: string | null) => void} person   null: not here any more
 * @property {(message: Message, fault: string) => void} failed       the broker has refused a message
 */

/** Person in the chat, over one connection at a time and one session at the broker. */
export class ChatClient {
  #name;
  #room;
  #events;
  #client;

  /** @param {string} broker @param {string} name @param {string} room @param {Events} events */
  constructor(broker, name, room, events) {
    this.#name = name;
    this.#room = room;
    this.#events = events;
    this.#client = mqtt.connect(broker, {
      protocolVersion: 5,
      // The name is the session: the broker lets one connection have it, and finds what was kept when we come back, from any browser.
      clientId: `chat-${name}`,
      clean: false,
      properties: { sessionExpiryInterval: sessionExpirySeconds },
      // Published by the broker when the connection ends without a goodbye: an empty retained message takes the retained one away.
      will: {
        topic: personTopic(name),
        payload: '',
        qos: 1,
        retain: true,
        properties: { willDelayInterval: willDelaySeconds },
      },
      keepalive: keepAliveSeconds,
      connectTimeout: answerMilliseconds,
      reconnectPeriod: pauseMilliseconds,
      resubscribe: false,
    });
    this.#listen();
  }

  #listen() {
    const client = this.#client;
    client.on('connect', () => this.#connected());
    client.on('message', (topic, payload, packet) => this.#received(topic, payload, packet));
    client.on('disconnect', ({ reasonCode }) => {
      if (reasonCode !== sessionTakenOver) return;
      // Coming back would throw out whoever is there now, and they us, for ever.
      client.end(true);
      this.#events.connection('elsewhere');
    });
    client.on('close', () => {
      if (!client.disconnecting && !client.disconnected) this.#events.connection('disconnected');
    });
    // A broker that answers and says no, with a reason code. Nobody there is no error but a `close`.
    client.on('error', (error) => {
      if (!('code' in error) || typeof error.code !== 'number') return;
      client.end(true);
      this.#events.connection('refused', error.message);
    });
  }

  #connected() {
    this.#events.connection('connected');
    this.#announce();
    // Messages at QoS 1: the session keeps them while we are away. Who is here at QoS 0: what was retained is told at each SUBSCRIBE, and older news of it is worthless.
    this.#client.subscribe({ [everyRoom]: { qos: 1 }, [everybody]: { qos: 0 } }, (error) => {
      if (error) this.#events.connection('refused', error.message);
      else this.#events.ready();
    });
  }

  /** Tells everybody, and everybody who comes later, which room we are in. */
  #announce() {
    this.#client.publish(personTopic(this.#name), this.#room, {
      qos: 1,
      retain: true,
      properties: { contentType: 'text/plain; charset=utf-8', payloadFormatIndicator: true },
    });
  }

  /** @param {string} topic @param {Uint8Array} payload @param {import('mqtt').IPublishPacket} packet */
  #received(topic, payload, packet) {
    const about = readTopic(topic);
    if (about === null) return;
    if ('person' in about) {
      this.#events.person(about.person, payload.length === 0 ? null : new TextDecoder().decode(payload).slice(0, 24));
    } else if (payload.length > 0) {
      // MQTT.js sends PUBACK when this returns: by then the page has shown and kept the message.
      this.#events.message(readMessage(about.room, payload, packet));
    }
  }

  /** Says something in the room. Without a connection MQTT.js keeps it, and sends it when there is one. @param {string} text */
  say(text) {
    const message = newMessage(this.#room, this.#name, text);
    this.#client.publish(roomTopic(this.#room), text, publishOptions(message), (error) => {
      if (error) this.#events.failed(message, error.message);
    });
    return message;
  }

  /** @param {string} room */
  move(room) {
    this.#room = room;
    if (this.#client.connected) this.#announce();
  }

  /**
   * Says goodbye: takes our presence away, and ends the connection with DISCONNECT, after which there is no will. The session stays.
   * @param {() => void} gone
   */
  leave(gone) {
    const client = this.#client;
    if (client.connected) client.publish(personTopic(this.#name), '', { qos: 1, retain: true }, () => client.end(gone));
    else client.end(true, gone);
  }
}
