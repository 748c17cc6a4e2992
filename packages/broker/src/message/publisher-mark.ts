/**
 * Identity of a publisher, kept in the record of a message that is published later than it was allowed: then rights are
 * asked again. It stands in the place of the publisher's client identifier, divided by zero characters, which no text of
 * MQTT holds: client identifier, address and, where the client has one, its user name. A record of an earlier release
 * has the client identifier alone; of such a message nobody is asked. The user pays for what is retained of it.
 */
import type { ClientIdentity } from '../ports/authorizer.ts';
import type { Publication } from './publication.ts';

const divider = '\0';
/** Length of the field in a record. */
const bytesMax = 65_535;

/**
 * The mark. `isAsked`: rights are asked again when the message is published; not where there are no rules, nor of a client
 * with rules of its own, which are not kept: then it has no address.
 */
export function publisherMark({ clientId, remoteAddress, userName, rules }: ClientIdentity, isAsked: boolean): string {
  const address = isAsked && (rules === undefined || rules === null) ? remoteAddress : '';
  if (address === '' && userName === null) return clientId;
  const parts = userName === null ? [clientId, address] : [clientId, address, userName];
  const mark = parts.join(divider);
  return Buffer.byteLength(mark) > bytesMax ? clientId : mark;
}

/** Takes the mark out of a message that was read, and returns the identity whose rights are asked; null: nobody's. */
export function takeIdentity(publication: Publication): ClientIdentity | null {
  const [clientId, remoteAddress, userName = null] = publication.publisher.split(divider);
  if (remoteAddress === undefined) return null;
  publication.publisher = clientId;
  if (userName !== null) publication.user = userName;
  if (remoteAddress === '') return null;
  return { clientId, remoteAddress, userName, notes: undefined };
}
