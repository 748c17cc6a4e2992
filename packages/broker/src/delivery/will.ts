/**
 * Wills (MQTT 5 sections 3.1.2.5 and 3.1.3.2.2).
 *
 * | the connection ends by | will |
 * | --- | --- |
 * | DISCONNECT with 0x00 | removed [MQTT-3.14.4-3] |
 * | anything else, no delay, or the session ends with the connection | published now [MQTT-3.1.2-8] |
 * | anything else, with a delay and a session that goes on | published after the delay or at the session's end, unless the client is back [MQTT-3.1.3-9] |
 *
 * The server may close the connection for reasons of its own, as when a node is drained: that is "anything else", for
 * no reason code of a server's DISCONNECT removes a will (MQTT 5 sections 3.1.2.5 and 3.14.2.1). A server that shuts
 * down may put publication off (3.1.2.5), never leave it out; put off, a retained "offline" would come after the
 * "online" of the client that is back already. So a drain suppresses what the third row lets it: the client that
 * connects elsewhere within its will delay, with its session, is never said to be gone.
 *
 * The store keeps it from CONNECT on, so that it is published even when the whole process dies (P8).
 */
import { type ConnectPacket, encodePublish, PublishView, readPublish } from '@dunlin/protocol';
import { readRecord, writeRecord } from '../message/message-record.ts';
import { Publication } from '../message/publication.ts';
import { lengthEnd } from '../message/publish-conversion.ts';
import { placeInPacket } from '../message/publish-in-place.ts';
import type { Session, SessionWill } from '../session/session.ts';

/**
 * The stored form of a will, or null if the client has none. Its expiry is a duration: it begins when the will is
 * published. `publisher`: its mark (publisher-mark.ts).
 */
export function willOf(packet: ConnectPacket, publisher: string): SessionWill | null {
  const will = packet.will;
  if (will === null) return null;
  const { willDelayInterval, ...properties } = will.properties;
  const bytes = encodePublish(
    {
      dup: false,
      qos: will.qos,
      retain: will.retain,
      topic: will.topic,
      packetId: will.qos === 0 ? 0 : 1,
      properties,
      payload: will.payload,
      type: 'publish',
    },
    5,
  );
  const view = new PublishView();
  const publication = new Publication();
  readPublish(view, bytes[0], bytes, lengthEnd(bytes, 1), bytes.length, 5);
  placeInPacket(publication, view, bytes, 0, true, { now: 0 }, null);
  publication.publisher = publisher;
  return { record: writeRecord(publication), delaySeconds: willDelayInterval ?? 0 };
}

/** Delay between the connection's end and the will, or 0 for at once. */
export function willDelaySeconds(session: Session): number {
  if (session.will === null) return 0;
  return Math.min(session.will.delaySeconds, session.expirySeconds);
}

/** The will as a publication of this moment. Throws RecordError. */
export function willPublication(record: Uint8Array, now: number): Publication {
  const publication = readRecord(record);
  if (publication.expiresAt !== 0) publication.expiresAt += now;
  return publication;
}
