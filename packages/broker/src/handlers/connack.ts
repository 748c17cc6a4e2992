/** Properties of CONNACK: what the client is told of the limits it is held to (MQTT 5 section 3.2.2.3). */
import { type ConnectPacket, type Properties, validateTopic } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import type { Limits } from '../ports/limits.ts';
import type { Session } from '../session/session.ts';

/** Shorter than a topic may be: what the client appends has to fit as well. */
const responseTopicBytesMax = 1024;

/** The beginning of topics that are this client's alone; none where its identifier cannot stand in a topic. */
function responseInformation(clientId: string): string | undefined {
  const beginning = `response/${clientId}/`;
  return validateTopic(beginning) === null && Buffer.byteLength(beginning) <= responseTopicBytesMax
    ? beginning
    : undefined;
}

/** `data`: of enhanced authentication. */
export function connackProperties(
  limits: Limits,
  connection: Connection,
  packet: ConnectPacket,
  { clientId, expirySeconds }: Session,
  data: Buffer | undefined,
): Properties {
  const properties: Properties = {
    receiveMaximum: limits.receiveMaximum,
    topicAliasMaximum: limits.topicAliasMaximum,
    maximumPacketSize: limits.maximumPacketSizeBytes,
  };
  const asked = packet.properties.sessionExpiryInterval ?? 0;
  if (expirySeconds !== asked) properties.sessionExpiryInterval = expirySeconds;
  if (packet.clientId === '') properties.assignedClientIdentifier = clientId; // [MQTT-3.2.2-16]
  if (connection.keepAliveSeconds !== packet.keepAliveSeconds) properties.serverKeepAlive = connection.keepAliveSeconds; // [MQTT-3.2.2-21]
  if (limits.maximumQos < 2) properties.maximumQos = limits.maximumQos;
  if (!limits.retainAvailable) properties.retainAvailable = 0;
  if (!limits.wildcardSubscriptionAvailable) properties.wildcardSubscriptionAvailable = 0;
  if (!limits.sharedSubscriptionAvailable) properties.sharedSubscriptionAvailable = 0;
  if (packet.properties.requestResponseInformation === 1)
    properties.responseInformation = responseInformation(clientId);
  if (connection.signIn.method !== null) properties.authenticationMethod = connection.signIn.method; // [MQTT-4.12.0-5]
  if (data !== undefined) properties.authenticationData = data;
  return properties;
}
