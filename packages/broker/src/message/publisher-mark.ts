/**
 * Identity of a publisher, kept in the record of a message that is published later than it was allowed: then rights are
 * asked again. It stands in the place of the publisher's client identifier, divided by zero characters, which no text of
 * MQTT holds: client identifier, address and, where the client has one, its user name. A record of an earlier release
 * has the client identifier alone; of such a message nobody is asked.
 */
import type { ClientIdentity } from '../ports/authorizer.ts';
import type { Publication } from './publication.ts';

const divider = '\0';
/** Length of the field in a record. */
const bytesMax = 65_535;

/** The mark; the client identifier alone for a client with rules of its own, which are not kept. */
export function publisherMark({ clientId, remoteAddress, userName, rules }: ClientIdentity): string {
  if (rules !== undefined && rules !== null) return clientId;
  const parts = userName === null ? [clientId, remoteAddress] : [clientId, remoteAddress, userName];
  const mark = parts.join(divider);
  return Buffer.byteLength(mark) > bytesMax ? clientId : mark;
}

/** Takes the mark out of a message that was read, and returns the identity; null: there is none. */
export function takeIdentity(publication: Publication): ClientIdentity | null {
  const [clientId, remoteAddress, userName = null] = publication.publisher.split(divider);
  if (remoteAddress === undefined) return null;
  publication.publisher = clientId;
  return { clientId, remoteAddress, userName, notes: undefined };
}
