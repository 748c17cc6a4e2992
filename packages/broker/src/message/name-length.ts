/**
 * Longest names that a client may bring: its identifier, topics, filters. They are refused before anything of them is
 * kept: caches, routes, logs and stores keep names for longer than a packet lives.
 *
 * A session, will or message that an earlier version stored under a longer name is still read and sent.
 */
import { ProtocolError, ReasonCode } from '@dunlin/protocol';

/** Throws 0x90 for a topic name, of a PUBLISH, an alias or a will: well-formed, and not accepted here. */
export function requireTopicLength(bytes: number, topicBytesMax: number): void {
  if (bytes <= topicBytesMax) return;
  throw new ProtocolError(ReasonCode.topicNameInvalid, `a topic name of ${bytes} bytes; at most ${topicBytesMax}`);
}

/** True for a filter that is too long; it need not be counted where it cannot be. */
export function isFilterTooLong(filter: string, topicBytesMax: number): boolean {
  return 3 * filter.length > topicBytesMax && Buffer.byteLength(filter) > topicBytesMax;
}

/** Throws 0x85, which is code 2 of MQTT 3. */
export function requireClientIdLength(clientId: string, clientIdBytesMax: number): void {
  const bytes = Buffer.byteLength(clientId);
  if (bytes <= clientIdBytesMax) return;
  const message = `a client identifier of ${bytes} bytes; at most ${clientIdBytesMax}`;
  throw new ProtocolError(ReasonCode.clientIdentifierNotValid, message);
}
